using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Workloads;

/// <summary>Runs <see cref="DeploymentDecision"/>.</summary>
internal sealed class DeploymentController : IController
{
    private readonly ControllerContext _context;
    private readonly ControllerLoop<ObjectKey> _loop;
    private readonly Executor _executor;

    public DeploymentController(ControllerContext context)
    {
        _context = context;
        _loop = context.Loop<ObjectKey>("deployment", ReconcileAsync);
        _executor = context.ExecutorFor("deployment-controller");
        context.Caches.Of(Kinds.Deployments).Subscribe(change => _loop.Enqueue(change.Key));
        context.Caches.Of(Kinds.ReplicaSets).Subscribe(change => Owners.Enqueue(_loop, "Deployment", change));
    }

    public Task RunAsync(CancellationToken ct) => _loop.RunAsync(ct);

    private async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken ct)
    {
        if (_context.Caches.Of(Kinds.Deployments).Get(key) is not { } deployment) return null;
        var decision = DeploymentDecision.Decide(deployment, _context.Owned(Kinds.ReplicaSets, deployment.Uid), _context.Now);
        await _executor.RunAsync(decision.Acts, ct);
        return decision.LookAgain;
    }
}
