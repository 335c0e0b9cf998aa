namespace Opt.Replay;

/// <summary>What goes wrong.</summary>
public enum FaultKind
{
    /// <summary>A GPU, CUDA or NCCL error: the worker ends, the machine stays up (ECC, lost GPUs, bad links).</summary>
    Device,

    /// <summary>The machine is gone, with kubelet and agent.</summary>
    Machine,

    /// <summary>Every rank waits for ever; nothing exits. Some come back each time the same machine takes part.</summary>
    Hang,

    /// <summary>A worker dies for a reason of its own; the machine is sound.</summary>
    Process,

    /// <summary>Five machines at once (6 December).</summary>
    FiveMachines,

    /// <summary>All machines at once, given back hours later, 16 of them bad (21 December).</summary>
    Cluster,
}

/// <param name="At">Seconds since the start.</param>
/// <param name="Draw">Decides which machine, and whether the fault comes back: in [0, 1).</param>
public sealed record Fault(double At, FaultKind Kind, double Draw);

/// <summary>
/// The failures of OPT-175B's run: about two machines a day, the two great events at their share of the 55.7 days, and transient
/// crashes and hangs. Sources: OPT's logbook and chronicles; the shares of the kinds follow Llama 3 (arXiv:2407.21783, table 5) and
/// ByteRobust (hangs are 9.9 % of incidents).
/// </summary>
public static class History
{
    public const double MachinesPerDay = 2;
    public const double ProcessesPerDay = 0.5;
    public const double HangsPerDay = 0.25;

    /// <summary>New machines that fail within the first half hour: 10 % of nodes were defective on arrival (SuperBench, arXiv:2402.06194).</summary>
    public const double BadReplacement = 0.1;

    /// <summary>Restores of which one read stalls; OPT: "downloads hang nondeterministically".</summary>
    public const double ReadStalls = 0.1;

    public static IReadOnlyList<Fault> Draw(int seed, double days, double rate)
    {
        var random = new Random(seed);
        var faults = new List<Fault>();
        Poisson(MachinesPerDay * rate, () => random.NextDouble() switch { < 0.7 => FaultKind.Device, < 0.9 => FaultKind.Machine, _ => FaultKind.Hang });
        Poisson(ProcessesPerDay * rate, () => FaultKind.Process);
        Poisson(HangsPerDay * rate, () => FaultKind.Hang);
        faults.Add(new(25 / 55.7 * 33.1 * 86400, FaultKind.FiveMachines, 0.5));
        faults.Add(new(40 / 55.7 * 33.1 * 86400, FaultKind.Cluster, 0.5));
        return [.. faults.OrderBy(f => f.At)];

        void Poisson(double perDay, Func<FaultKind> kind)
        {
            for (var at = Next(0); at < days * 86400; at = Next(at)) faults.Add(new(at, kind(), random.NextDouble()));
            double Next(double from) => from - Math.Log(1 - random.NextDouble()) * 86400 / perDay;
        }
    }
}
