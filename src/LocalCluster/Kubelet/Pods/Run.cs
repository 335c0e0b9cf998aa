namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>What a container is doing.</summary>
internal abstract record Run
{
    /// <summary>Not started, or to be started again.</summary>
    public sealed record Waiting(string Reason, string? Message = null) : Run;

    public sealed record Running(DateTimeOffset StartedAt) : Run;

    public sealed record Terminated(int ExitCode, string Reason, DateTimeOffset StartedAt, DateTimeOffset FinishedAt, string? Message = null) : Run;
}
