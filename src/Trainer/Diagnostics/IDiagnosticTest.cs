using Opt.Api.Protocol;

namespace Opt.Trainer.Diagnostics;

/// <summary>One thing that can be wrong with a node.</summary>
internal interface IDiagnosticTest
{
    /// <summary>One of <see cref="DiagnosticTests"/>.</summary>
    string Name { get; }

    /// <exception cref="OperationCanceledException">The deadline passed.</exception>
    Finding Run(DiagnosticContext context);
}

/// <summary>What a test says.</summary>
internal sealed record Finding(DiagnosticOutcome Outcome, string Detail)
{
    public string? Digest { get; init; }
    public string? Environment { get; init; }

    public static Finding Good(string detail) => new(DiagnosticOutcome.Passed, detail);

    public static Finding Bad(string detail) => new(DiagnosticOutcome.Failed, detail);

    public static Finding Skipped(string detail) => new(DiagnosticOutcome.Skipped, detail);
}

/// <summary>What tests work with.</summary>
/// <param name="Scratch">An existing folder to write in.</param>
/// <param name="Stop">Cancelled at the deadline.</param>
internal sealed record DiagnosticContext(Effort Effort, string Scratch, DiagnosticFaults Faults, TimeProvider Time, CancellationToken Stop)
{
    /// <summary>CUDA devices where the library sees some, else the CPU.</summary>
    public required IReadOnlyList<Opt.Torch.torch.Device> Devices { get; init; }

    /// <summary>Deadline of each collective, and of the meeting before them.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The members that test their network together; null: this node alone.</summary>
    public DiagnosticsGroup? Group { get; init; }
}
