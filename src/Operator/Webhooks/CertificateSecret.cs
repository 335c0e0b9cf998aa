using System.Security.Cryptography.X509Certificates;
using System.Text;
using Opt.Kubernetes;

namespace Opt.Operator.Webhooks;

/// <summary>
/// Certificates that the operator makes itself, shared by its replicas through a Secret. Each replica does what is due; a write names the version
/// it was decided on, so of two that decide at once one starts over. The caBundle is published before what it vouches for is served.
/// </summary>
internal sealed class CertificateSecret(KubernetesClient client, WebhookOptions options, TimeProvider clock) : ICertificateSource
{
    private const int Tries = 5;
    private readonly ResourceClient<V1Secret> _secrets = client.Resource(Resources.Secrets);
    private readonly CaBundles _bundles = new(client);
    private string _served = "";

    public async Task<X509Certificate2?> RefreshAsync(CancellationToken ct)
    {
        var state = await AdvanceAsync(ct);
        if (options.Configuration is { } name) await _bundles.PublishAsync(name, Encoding.UTF8.GetBytes(state.Authorities), ct);
        if (state.Certificate == _served) return null;
        _served = state.Certificate;
        return state.Load();
    }

    private async Task<ServingCertificates> AdvanceAsync(CancellationToken ct)
    {
        var key = options.Secret!.Value;
        for (var tried = 1; ; tried++)
        {
            var secret = await _secrets.FindAsync(key, ct);
            var current = ServingCertificates.Read(secret?.Data);
            var next = ServingCertificates.Next(current, options.Names, options.Certificates, clock.GetUtcNow());
            if (next == current) return next;
            try
            {
                await WriteAsync(secret, key, next, ct);
                return next;
            }
            catch (KubernetesException e) when ((e.IsConflict || e.IsAlreadyExists || e.IsNotFound) && tried < Tries)
            {
                // another replica was faster: look at what it wrote
            }
        }
    }

    private Task<V1Secret> WriteAsync(V1Secret? old, ObjectKey key, ServingCertificates next, CancellationToken ct) => old is null
        ? _secrets.CreateAsync(new() { Metadata = new() { Name = key.Name, Namespace = key.Namespace, Labels = new Dictionary<string, string> { ["app.kubernetes.io/managed-by"] = "opt-operator" } }, Type = "Opaque", Data = next.ToData() }, ct)
        : _secrets.ReplaceAsync(old with { Data = next.ToData() }, ct);
}
