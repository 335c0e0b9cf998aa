namespace Opt.LocalCluster.Simulation;

/// <summary>
/// What stands in for a pod's containers on a simulated node: a script. Its methods are called one at a time. They return when what they do at this instant is done;
/// what takes time is a timer of the cluster's clock.
/// </summary>
public interface ISimulatedPod
{
    /// <summary>The node starts the pod: it is bound, has its address and is Pending. A script that does nothing here leaves it so.</summary>
    ValueTask StartAsync(SimulatedPodContext context, CancellationToken ct);

    /// <summary>The pod was deleted: SIGTERM. It is gone when <see cref="SimulatedPodContext.ExitAsync"/> is called or the grace period has passed.</summary>
    ValueTask StopAsync(TimeSpan grace, CancellationToken ct);

    /// <summary>The pod is dead: killed, its machine lost, or its end complete. The last call it gets.</summary>
    void Dead();
}
