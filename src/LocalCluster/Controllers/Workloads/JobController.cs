using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Workloads;

/// <summary>Runs <see cref="JobDecision"/>.</summary>
internal sealed class JobController : IController
{
    private readonly ControllerContext _context;
    private readonly ControllerLoop<ObjectKey> _loop;
    private readonly Executor _executor;

    public JobController(ControllerContext context)
    {
        _context = context;
        _loop = context.Loop<ObjectKey>("job", ReconcileAsync);
        _executor = context.ExecutorFor("job-controller");
        context.Caches.Of(Kinds.Jobs).Subscribe(change => _loop.Enqueue(change.Key));
        context.Pods.Subscribe(change => Owners.Enqueue(_loop, "Job", change));
    }

    public Task RunAsync(CancellationToken ct) => _loop.RunAsync(ct);

    private async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken ct)
    {
        if (_context.Caches.Of(Kinds.Jobs).Get(key) is not { } job) return null;
        var decision = JobDecision.Decide(job, _context.Owned(Kinds.Pods, job.Uid), _context.Now);
        await _executor.RunAsync(decision.Acts, ct);
        return decision.LookAgain;
    }
}
