using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.LocalCluster.ApiServer.Http;
using Opt.LocalCluster.Controllers.NodeLifecycle;
using Opt.LocalCluster.Kubelet;

namespace Opt.LocalCluster;

/// <summary>How a local cluster is set up.</summary>
public sealed record ClusterOptions
{
    /// <value>The node controller's periods; the defaults are Kubernetes' own.</value>
    public NodeLifecycleOptions NodeLifecycle { get; init; } = new();

    /// <value>Makes uids and generated names repeatable. Default: random.</value>
    public int? Seed { get; init; }

    /// <value>Machines whose pods are processes. Default: none.</value>
    public NodeOptions? Nodes { get; init; }

    /// <value>Keeps the API's objects across restarts. Default: in memory only.</value>
    public string? ApiDataDirectory { get; init; }

    /// <value>Serves the API over HTTPS. Default: only in this process.</value>
    public ApiHostOptions? Http { get; init; }

    public ILoggerFactory Loggers { get; init; } = NullLoggerFactory.Instance;
}
