using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Trainer.Agent;

/// <summary>What accelerators the node offers, without loading any library: NVIDIA's device files, else the CPU.</summary>
internal static class DeviceProbe
{
    private const int Most = 64;

    /// <param name="workers">Accelerators the job asks of this node.</param>
    public static EquatableList<DeviceHealth> Devices(int workers)
    {
        var present = Enumerable.Range(0, Most).Where(i => File.Exists($"/dev/nvidia{i}")).ToHashSet();
        if (present.Count == 0) return [new() { Index = 0, Kind = "cpu", Healthy = true }];
        return
        [
            .. Enumerable.Range(0, Math.Max(workers, present.Max() + 1)).Select(i => present.Contains(i)
                ? new DeviceHealth { Index = i, Kind = "cuda", Healthy = true }
                : new DeviceHealth { Index = i, Kind = "cuda", Healthy = false, Detail = $"/dev/nvidia{i} is missing" }),
        ];
    }
}
