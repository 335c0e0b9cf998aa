using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Kubelet;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Simulation;

/// <summary>What simulated nodes tell the API server about themselves.</summary>
public sealed partial class SimulatedNodes
{
    private static Caller CallerOf(string node) => new($"system:node:{node}", "kubelet", ["system:nodes", "system:authenticated"]);

    private async Task RegisterAsync(SimulatedMachine machine, int index, CancellationToken ct)
    {
        var node = NodeRegistration.Node(machine.Name, machine.Address, Devices, machine.BootId, _context.Now);
        Enlarge(node.Ensure("status"));
        foreach (var (key, value) in _options.Labels?.Invoke(index) ?? new Dictionary<string, string>()) node.Ensure("metadata", "labels")[key] = value;
        var created = await _context.Api.CreateAsync(Kinds.Nodes, null, node, CallerOf(machine.Name), ct);
        var lease = NodeRegistration.Lease(machine.Name, created, 40, _context.Now);
        await _context.Api.CreateAsync(Kinds.Leases, "kube-node-lease", lease, CallerOf(machine.Name), ct);
    }

    private async Task PostStatusAsync(SimulatedMachine machine, CancellationToken ct)
    {
        var known = _context.Nodes.Get(new("", machine.Name));
        var status = NodeRegistration.Status(known, machine.Name, machine.Address, Devices, machine.BootId, _context.Now);
        Enlarge(status);
        await _context.Api.PatchAsync(Kinds.Nodes, null, machine.Name, PatchKind.StrategicMerge, new JsonObject { ["status"] = status }, CallerOf(machine.Name), ct, "status");
    }

    private async Task RenewAsync(SimulatedMachine machine, CancellationToken ct)
    {
        if (_context.Nodes.Get(new("", machine.Name)) is not { } node) return;   // its object was deleted: nothing to keep alive
        var renewal = new JsonObject { ["spec"] = new JsonObject { ["renewTime"] = _context.Now.ToKubernetesMicroTime() } };
        await _context.Api.PatchAsync(Kinds.Leases, "kube-node-lease", machine.Name, PatchKind.Merge, renewal, CallerOf(machine.Name), ct);
        if (!Condition.IsTrue(node, "Ready")) await PostStatusAsync(machine, ct);
    }

    private DevicePool Devices => new(_options.AcceleratorResource, _options.AcceleratorsPerNode);

    // A machine for training, not this one.
    private static void Enlarge(JsonObject status)
    {
        foreach (var list in (string[])["capacity", "allocatable"])
        {
            status.Ensure(list)["cpu"] = "96";
            status.Ensure(list)["memory"] = "900Gi";
        }
    }
}
