using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Opt.Kubernetes;

namespace Opt.Operator.Webhooks;

/// <summary>Writes the authorities to trust into the webhook configurations.</summary>
internal sealed class CaBundles(KubernetesClient client)
{
    private static readonly ResourceDefinition<WebhookConfiguration> Mutating = Define("MutatingWebhookConfiguration", "mutatingwebhookconfigurations");
    private static readonly ResourceDefinition<WebhookConfiguration> Validating = Define("ValidatingWebhookConfiguration", "validatingwebhookconfigurations");

    /// <summary>Both configurations of that name trust <paramref name="bundle"/> (PEM) afterwards. One that does not exist is none of our business.</summary>
    public async Task PublishAsync(string name, byte[] bundle, CancellationToken ct)
    {
        var encoded = Convert.ToBase64String(bundle);
        foreach (var definition in new[] { Mutating, Validating }) await PublishAsync(client.Resource(definition), name, encoded, ct);
    }

    private static async Task PublishAsync(ResourceClient<WebhookConfiguration> configurations, string name, string bundle, CancellationToken ct)
    {
        var key = new ObjectKey(null, name);
        if (await configurations.FindAsync(key, ct) is not { } found || Changes(found, bundle) is not { Count: > 0 } changes) return;
        // The version makes a patch of positions safe: were the list edited meanwhile, the server refuses and the next look tries again.
        await configurations.PatchAsync(key, Patch.Json([JsonPatchOperation.Test("/metadata/resourceVersion", found.Metadata.ResourceVersion), .. changes]), ct);
    }

    private static List<JsonPatchOperation> Changes(WebhookConfiguration configuration, string bundle) => [.. configuration.Webhooks
        .Select((webhook, i) => (Config: webhook["clientConfig"] as JsonObject, Path: $"/webhooks/{i}/clientConfig/caBundle"))
        .Where(w => w.Config is not null && (string?)w.Config["caBundle"] != bundle)
        .Select(w => JsonPatchOperation.Add(w.Path, bundle))];

    private static ResourceDefinition<WebhookConfiguration> Define(string kind, string plural) =>
        new("admissionregistration.k8s.io", "v1", kind, plural, Namespaced: false, WebhookJson.Default.WebhookConfiguration, c => c.Metadata);
}

/// <summary>A mutating or validating webhook configuration, as far as it concerns us.</summary>
internal sealed record WebhookConfiguration : OpenRecord
{
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public IReadOnlyList<JsonObject> Webhooks { get => field ?? []; init; }
}

/// <summary>Serializer of the webhooks' kinds, with the options the Kubernetes library asks for.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(WebhookConfiguration))]
internal sealed partial class WebhookJson : JsonSerializerContext;
