using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;
using Opt.LocalCluster.Scheduling;

namespace Opt.LocalCluster.Kubelet;

/// <summary>The accelerators of a node: which pod has which. There is nothing behind the numbers; what matters is that nobody gets more than there are.</summary>
internal sealed class DevicePool(string resource, int count)
{
    private readonly string?[] _owners = new string?[count];

    public string Resource => resource;

    public int Count => count;

    /// <summary>Variables that tell the pod's containers what they have; null when there are not enough free ones.</summary>
    public IReadOnlyDictionary<string, string>? Allocate(JsonObject pod)
    {
        var wanted = (int)PodRequests.Of(pod).GetValueOrDefault(resource);
        if (wanted == 0) return new Dictionary<string, string>();
        var held = Indexes(pod.Uid);
        if (held.Count == 0)
        {
            held = Indexes(null).Take(wanted).ToList();
            if (held.Count < wanted) return null;
            foreach (var index in held) _owners[index] = pod.Uid;
        }

        return new Dictionary<string, string>
        {
            ["OPT_LOCAL_ACCELERATORS"] = held.Count.ToString(CultureInfo.InvariantCulture),
            ["NVIDIA_VISIBLE_DEVICES"] = string.Join(',', held),
        };
    }

    public int Free => Indexes(null).Count;

    public void Release(string uid)
    {
        foreach (var index in Indexes(uid)) _owners[index] = null;
    }

    private List<int> Indexes(string? owner) => [.. Enumerable.Range(0, count).Where(i => _owners[i] == owner)];
}
