using Opt.Api;
using Opt.Api.V1Alpha1;
using Opt.Api.Validation;
using Opt.Operator.Agents;
using Opt.Operator.Checkpoints;
using Opt.Operator.Logbooks;
using Opt.Planning;

namespace Opt.Operator.Jobs;

/// <summary>What this process holds about one job between passes. All of it may be lost at any moment.</summary>
/// <param name="found">The status as it stood in the cluster.</param>
internal sealed class JobState(string uid, AgentPool agents, OptTrainingJobStatus? found) : IAsyncDisposable
{
    public string Uid { get; } = uid;

    public AgentPool Agents { get; } = agents;

    public Memory Memory { get; set; } = new();

    public MirrorMemory Checkpoints { get; } = new();

    public BookMemory Logbook { get; } = new(found?.Logbook ?? []);

    /// <summary>The newest spec that was valid.</summary>
    public ValidSpec? Valid { get; set; }

    /// <summary>The generation that was read last, and what is wrong with it.</summary>
    public (long Generation, EquatableList<SpecFault> Faults)? Read { get; set; }

    /// <summary>The status as last worked out; newer than what is written while periodic writes wait.</summary>
    public OptTrainingJobStatus? Status { get; set; } = found;

    /// <summary>The status as last written.</summary>
    public OptTrainingJobStatus? Written { get; set; } = found;

    /// <summary>When, by the stopwatch: the calendar may be set back.</summary>
    public long WrittenAt { get; set; }

    /// <summary>What the agents know us by; null until the Secret has been read.</summary>
    public AgentCredential? Credential { get; set; }

    /// <summary>Pod inputs whose template was tried, and what was said against it.</summary>
    public (string Key, Opt.Api.EquatableList<string> Faults)? Template { get; set; }

    public ValueTask DisposeAsync() => Agents.DisposeAsync();
}

/// <summary>A valid spec and its generation.</summary>
internal sealed record ValidSpec(long Generation, OptTrainingJobSpec Spec);
