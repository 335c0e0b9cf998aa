namespace Opt.LocalCluster.Simulation;

/// <summary>The script of a pod that is Ready at once and ends when it is asked to.</summary>
public sealed class ReadyPod : ISimulatedPod
{
    private SimulatedPodContext? _context;

    public async ValueTask StartAsync(SimulatedPodContext context, CancellationToken ct)
    {
        _context = context;
        await context.RunAsync(ready: true, ct);
    }

    public async ValueTask StopAsync(TimeSpan grace, CancellationToken ct) => await _context!.ExitAsync(143, ct);

    public void Dead()
    {
    }
}
