using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>
/// What of a spec the pods are made from. Its digest is kept on the StatefulSet, so that a change by the user is seen and a newer
/// operator's own rendering is not mistaken for one: an operator upgrade never recreates pods.
/// </summary>
public static class PodInputs
{
    public static string Digest(OptTrainingJobSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var inputs = new JsonObject
        {
            ["pod"] = JsonSerializer.SerializeToNode(spec.Pod, SpecJson.Default.PodSpec),
            ["accelerators"] = spec.Topology.AcceleratorsPerNode,
            ["dataRoot"] = spec.Data.Root,
            ["store"] = JsonSerializer.SerializeToNode(spec.Checkpoint.Store, SpecJson.Default.StoreSpec),
        };
        return Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(inputs, SpecJson.Default.JsonObject)))[..32];
    }
}
