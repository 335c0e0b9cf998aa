namespace Opt.LocalCluster.Controllers.NodeLifecycle;

/// <summary>The controller manager's flags of the same names.</summary>
public sealed record NodeLifecycleOptions
{
    /// <value>How often nodes are looked at. Default 5 s.</value>
    public TimeSpan MonitorPeriod { get; init; } = TimeSpan.FromSeconds(5);

    /// <value>Silence after which a node is Unknown. Default 40 s.</value>
    public TimeSpan MonitorGracePeriod { get; init; } = TimeSpan.FromSeconds(40);

    /// <value>Nodes per second that are emptied in a healthy zone. Default 0.1.</value>
    public double EvictionRate { get; init; } = 0.1;

    /// <value>The same in a large zone that lost more than half. Default 0.01.</value>
    public double SecondaryEvictionRate { get; init; } = 0.01;

    /// <value>How often pods of deleted nodes and of out-of-service nodes are collected. Default 20 s.</value>
    public TimeSpan PodGarbagePeriod { get; init; } = TimeSpan.FromSeconds(20);

    /// <value>How long a node has to be missing before its pods are collected. Default 40 s.</value>
    public TimeSpan MissingNodeQuarantine { get; init; } = TimeSpan.FromSeconds(40);
}
