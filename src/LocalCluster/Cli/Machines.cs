using Opt.LocalCluster.Kubelet;
using Opt.LocalCluster.Simulation;

namespace Opt.LocalCluster.Cli;

/// <summary>Every machine of a running cluster, whatever its pods are: what <c>opt-local node</c> acts on.</summary>
internal sealed class Machines(ProcessNodes processes, SimulatedNodes? simulated)
{
    public IReadOnlyCollection<string> Names => [.. processes.Names, .. simulated?.Names ?? []];

    public Task KillAsync(string node, CancellationToken ct)
    {
        if (!IsSimulated(node)) return processes.KillAsync(node, ct);
        simulated!.Kill(node);
        return Task.CompletedTask;
    }

    public Task CutAsync(string node, CancellationToken ct)
    {
        if (!IsSimulated(node)) return processes.CutAsync(node, ct);
        simulated!.Cut(node);
        return Task.CompletedTask;
    }

    public Task ReturnAsync(string node, CancellationToken ct) => IsSimulated(node) ? simulated!.ReturnAsync(node, ct) : processes.ReturnAsync(node, ct);

    private bool IsSimulated(string node) => simulated?.Names.Contains(node) == true;
}
