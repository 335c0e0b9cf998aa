using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Kubelet.Environment;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet;

/// <summary>Config maps and secrets from the shared caches, tokens from the API server.</summary>
internal sealed class ApiPodSources(CacheSet caches, NodeLink link, TimeProvider clock) : IPodSources
{
    private const int Remembered = 256;
    private readonly Dictionary<(string Uid, string? Audience), (string Token, DateTimeOffset RenewAt)> _tokens = [];
    private readonly Lock _gate = new();

    public JsonObject? ConfigMap(string @namespace, string name) => caches.Of(Kinds.ConfigMaps).Get(new(@namespace, name));

    public JsonObject? Secret(string @namespace, string name) => caches.Of(Kinds.Secrets).Get(new(@namespace, name));

    public async Task<string> TokenAsync(JsonObject pod, string? audience, long expirationSeconds, CancellationToken ct)
    {
        var key = (pod.Uid, audience);
        lock (_gate)
        {
            if (_tokens.TryGetValue(key, out var known) && clock.GetUtcNow() < known.RenewAt) return known.Token;
        }

        var answer = await link.TryAsync(api => api.CreateAsync(
            Kinds.ServiceAccounts, pod.Namespace, Request(pod, audience, expirationSeconds), link.Caller, ct, pod.Text("spec", "serviceAccountName") ?? "default", "token"));
        var token = answer.Text("status", "token") ?? throw new PodFault("FailedMount", $"service account {pod.Text("spec", "serviceAccountName")} was not found");
        Remember(key, token, clock.GetUtcNow() + (0.8 * TimeSpan.FromSeconds(expirationSeconds)));
        return token;
    }

    private void Remember((string Uid, string? Audience) key, string token, DateTimeOffset renewAt)
    {
        lock (_gate)
        {
            // Nobody renews the tokens of pods that have gone.
            if (_tokens.Count >= Remembered) foreach (var gone in _tokens.Where(t => t.Value.RenewAt < clock.GetUtcNow()).Select(t => t.Key).ToList()) _tokens.Remove(gone);
            _tokens[key] = (token, renewAt);
        }
    }

    private static JsonObject Request(JsonObject pod, string? audience, long expirationSeconds)
    {
        var spec = new JsonObject
        {
            ["expirationSeconds"] = expirationSeconds,
            ["boundObjectRef"] = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["name"] = pod.Name, ["uid"] = pod.Uid },
        };
        if (audience is not null) spec["audiences"] = new JsonArray(audience);
        return new JsonObject { ["apiVersion"] = "authentication.k8s.io/v1", ["kind"] = "TokenRequest", ["spec"] = spec };
    }
}
