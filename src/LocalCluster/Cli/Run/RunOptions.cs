namespace Opt.LocalCluster.Cli.Run;

/// <summary>What <c>opt-local run</c> was asked for, besides the cluster's own flags.</summary>
internal sealed record RunOptions
{
    public required string Manifest { get; init; }
    public required string Operator { get; init; }
    public required string Crds { get; init; }
    public double? KillWorkerAt { get; init; }
    public double? FailNodeAt { get; init; }
    public bool Keep { get; init; }

    /// <summary>Null for no dashboard.</summary>
    public DashboardLink? Dashboard { get; init; }
    public required string StateDirectory { get; init; }
    public required string Kubeconfig { get; init; }
}
