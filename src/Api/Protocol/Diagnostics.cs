namespace Opt.Api.Protocol;

/// <summary>Body of <c>POST /v1/diagnostics</c>: test this node. One run at a time; 409 while another runs, or workers that may not be ended.</summary>
public sealed record DiagnosticsRequest
{
    /// <summary>Names this run: asking again with an id that the agent knows changes nothing.</summary>
    public required string Id { get; init; }

    public DiagnosticsSet Set { get; init; }

    /// <summary>Seconds after which the run is ended; what was not tested by then is reported as incomplete.</summary>
    public double DeadlineSeconds { get; set; } = 120;

    /// <summary>The nodes that test their network together; required for <see cref="DiagnosticsSet.Network"/>.</summary>
    public DiagnosticsGroup? Group { get; init; }

    /// <summary>Workers of epochs below this one are ended first: the store is fenced against them. 0 ends none.</summary>
    public long EndWorkersBelow { get; init; }
}

/// <summary>Which tests to run.</summary>
public enum DiagnosticsSet
{
    /// <summary>Every part of the node for a second or so: before it joins, and for suspects.</summary>
    Quick,

    /// <summary>The same for tens of seconds and over more memory and disk.</summary>
    Full,

    /// <summary>Collectives with the other members of a group, and nothing else.</summary>
    Network,
}

/// <summary>Members that test together.</summary>
public sealed record DiagnosticsGroup
{
    /// <summary>Names of the members, for people and to tell partners apart.</summary>
    public required EquatableList<string> Members { get; init; }

    /// <summary>Where each member is reached; the first serves the rendezvous.</summary>
    public required EquatableList<string> Addresses { get; init; }

    /// <summary>Which of them this one is.</summary>
    public required int Rank { get; init; }

    /// <summary>Port of the rendezvous.</summary>
    public required int Port { get; init; }
}

/// <summary>One run of diagnostics, finished or not; <see cref="AgentStatus.Diagnostics"/> and <c>opt-trainer diagnose --json</c>.</summary>
public sealed record DiagnosticsReport
{
    public required string Id { get; init; }
    public DiagnosticsSet Set { get; init; }
    public required DiagnosticsState State { get; init; }
    public DateTimeOffset StartedAt { get; init; }

    /// <summary>The test under way.</summary>
    public string? Running { get; init; }

    /// <summary>Tests that have ended, in order.</summary>
    public EquatableList<DiagnosticResult> Tests { get; set; } = [];

    /// <summary>The other members of the group.</summary>
    public EquatableList<string> With { get; set; } = [];

    /// <summary>The first test that found something wrong, with what it found; null when none did.</summary>
    public DiagnosticResult? Fault => Tests.FirstOrDefault(t => t.Outcome is DiagnosticOutcome.Failed);
}

/// <summary>How a run of diagnostics stands.</summary>
public enum DiagnosticsState
{
    Running,

    /// <summary>No test found a fault.</summary>
    Passed,

    /// <summary>A test found a fault.</summary>
    Failed,

    /// <summary>No test found a fault, but not all of them came to an end: nothing is said of the node.</summary>
    Incomplete,
}

/// <summary>One test.</summary>
public sealed record DiagnosticResult
{
    /// <summary>devices, memory, matrixProduct, disk, trainingStep or collectives.</summary>
    public required string Test { get; init; }

    public required DiagnosticOutcome Outcome { get; init; }
    public double Seconds { get; init; }

    /// <summary>What was measured, or what is wrong, in one line.</summary>
    public string Detail { get; set; } = "";

    /// <summary>Digest of the result, where nodes must agree on it.</summary>
    public string? Digest { get; init; }

    /// <summary>Only results of equal environments (library, processor, threads) can be compared by digest.</summary>
    public string? Environment { get; init; }
}

/// <summary>How a test ended.</summary>
public enum DiagnosticOutcome { Passed, Failed, Skipped, Incomplete }

/// <summary>Names of the tests.</summary>
public static class DiagnosticTests
{
    public const string Devices = "devices";
    public const string Memory = "memory";
    public const string MatrixProduct = "matrixProduct";
    public const string Disk = "disk";
    public const string TrainingStep = "trainingStep";
    public const string Collectives = "collectives";

    public static readonly EquatableList<string> All = [Devices, Memory, MatrixProduct, Disk, TrainingStep, Collectives];
}
