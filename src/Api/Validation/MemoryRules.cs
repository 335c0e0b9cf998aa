using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Validation;

/// <summary>Whether the state of training fits the accelerators that the job says it has, on all machines and on the fewest.</summary>
internal static class MemoryRules
{
    private const double GiB = 1L << 30;

    /// <summary>Faults of a spec that is valid otherwise.</summary>
    public static IEnumerable<SpecFault> Faults(OptTrainingJobSpec spec)
    {
        if (spec.Topology.AcceleratorMemoryGiB is not { } room) yield break;
        var training = TrainingConfigResolver.Resolve(spec);
        var (nodes, fewest) = (spec.Topology.Nodes, spec.Topology.MinNodes ?? spec.Topology.Nodes);
        if (Needed(nodes) > room) yield return Fault("nodes", nodes, "use more machines, or larger accelerators");
        else if (Needed(fewest) > room) yield return Fault("minNodes", fewest, $"must be at least {Enumerable.Range(fewest, nodes - fewest + 1).First(n => Needed(n) <= room)}");

        double Needed(int machines) => StateMemory.BytesPerRank(training, machines * spec.Topology.AcceleratorsPerNode / training.TensorParallel) / GiB;

        SpecFault Fault(string field, int machines, string allowed) => new($"spec.topology.{field}", $"{machines}",
            FormattableString.Invariant($"{allowed}: on {machines} machines weights, gradients and optimizer state alone take {Needed(machines):0.0} GiB of each accelerator's {room} (acceleratorMemoryGiB)"));
    }
}
