using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Http;

namespace Opt.Scenarios.World;

/// <summary>How the operator reaches the API server. Can be cut, as a network can. Outlives the clients that use it.</summary>
internal abstract class ClusterLink : HttpMessageHandler, IAsyncDisposable
{
    private static readonly AsyncLocal<bool> UsesHttp = new();

    /// <summary>Where a client sends its requests.</summary>
    public abstract Uri Host { get; }

    /// <summary>While true nothing gets through and open watches break.</summary>
    public bool IsCut { get; protected set; }

    /// <summary>Nothing is on its way between the two sides, as far as a thread pool cannot tell.</summary>
    public virtual bool IsQuiet => true;

    /// <summary>The line is cut right after that many more writes have been answered: the operator dies there, as far as the cluster can tell.</summary>
    public int? DieAfterWrites { get; set; }

    /// <summary>False: the server refuses to stream lists through watches, as before Kubernetes 1.32.</summary>
    public bool StreamsLists { get; set; } = true;

    /// <summary>A request was answered.</summary>
    protected void Answered(HttpMethod method)
    {
        if (method == HttpMethod.Get || DieAfterWrites is not > 0) return;
        if (--DieAfterWrites == 0) Cut();
    }

    /// <summary>Worlds that <paramref name="play"/> makes use sockets instead of memory.</summary>
    public static async Task OverHttpAsync(Func<Task> play)
    {
        UsesHttp.Value = true;
        await play();
    }

    public static async Task<ClusterLink> ToAsync(EmbeddedApiServer server, UserInfo? user, CancellationToken ct)
    {
        var options = new ApiHostOptions { Tokens = new Dictionary<string, UserInfo> { [Token] = user ?? new("system:serviceaccount:opt:operator", ["system:masters"]) } };
        return UsesHttp.Value ? await LoopbackTransport.StartAsync(server, options, ct) : new InProcessTransport(server.CreateHttpApi(options, () => "cluster.test"));
    }

    public abstract void Cut();

    public abstract void Mend();

    public virtual ValueTask DisposeAsync() => default;

    /// <summary>The operator's bearer token.</summary>
    protected const string Token = "operator";
}
