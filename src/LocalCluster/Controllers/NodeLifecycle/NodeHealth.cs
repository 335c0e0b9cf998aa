using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.NodeLifecycle;

/// <summary>
/// When this controller last saw a sign of life of a node: a change of the Ready condition's heartbeat or of the lease's renew time.
/// Its own clock decides, never the times written by the kubelet, so clock skew between machines kills nobody.
/// </summary>
internal sealed record NodeHealth(string Heartbeat, string Lease, DateTimeOffset SeenAt)
{
    public static NodeHealth Observe(NodeHealth? before, JsonObject node, JsonObject? lease, DateTimeOffset now)
    {
        var heartbeat = Condition.Find(node, "Ready").Text("lastHeartbeatTime") ?? "";
        var renewed = lease.Text("spec", "renewTime") ?? "";

        // The controller's own Unknown keeps the old heartbeat, so its writes are no sign of life.
        return before is not null && before.Heartbeat == heartbeat && before.Lease == renewed ? before : new(heartbeat, renewed, now);
    }
}
