using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.Api;
using Opt.Kubernetes;
using Opt.Operator.Tests.Live;
using Opt.Operator.Webhooks;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Webhooks;

/// <summary>The webhooks as they are: served over TLS, called by an API server, met by kubectl.</summary>
public sealed class WebhookServerTests : IAsyncLifetime
{
    private LiveCluster _cluster = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _cluster = await LiveCluster.StartAsync();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task A_bad_job_is_refused_with_one_line_a_fault_and_a_good_one_is_stamped()
    {
        await using var webhooks = await ServeAsync(new());
        var bad = Manifest().Replace("maxPositions: 128, ", "maxPositions: 64, ", StringComparison.Ordinal).Replace("path: kjv-train", "path: ../kjv", StringComparison.Ordinal);

        var refused = await _cluster.TryKubectlAsync("apply", "-f", _cluster.Write("bad.yaml", bad));
        await _cluster.KubectlAsync("apply", "-f", _cluster.Write("good.yaml", Manifest()));

        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("spec.training.sequenceLength: 128 is not allowed; must be at most the model's maxPositions 64", refused.Error, StringComparison.Ordinal);
        Assert.Contains("spec.data.train[0].path: \"../kjv\" is not allowed; must stay below the data root", refused.Error, StringComparison.Ordinal);
        Assert.Equal("admin", await EditorAsync());
    }

    [Fact]
    public async Task Every_example_is_taken_by_the_definition_and_by_the_webhooks()
    {
        await using var webhooks = await ServeAsync(new(), failurePolicy: "Fail");
        var sizes = ModelPreset.All.Select(p => p.Name).Where(n => File.Exists(Repo.PathOf("examples", $"{n}.yaml"))).ToArray();

        await _cluster.KubectlAsync(["apply", .. sizes.Append("opt-tiny").SelectMany(s => (string[])["-f", Repo.PathOf("examples", $"{s}.yaml")])]);
        await _cluster.KubectlAsync("delete", "otj", "opt-tiny");
        await _cluster.KubectlAsync("apply", "-f", Repo.PathOf("examples", "opt-tiny-azurite.yaml"));

        Assert.True(sizes.Length >= 9, string.Join(", ", sizes));
        var names = (await _cluster.KubectlAsync("get", "otj", "-o", "jsonpath={.items[*].metadata.name}")).Split(' ');
        Assert.Equal(sizes.Append("opt-tiny").Select(s => s.Replace('.', '-')).Order(StringComparer.Ordinal), names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Writes_of_status_never_reach_the_webhook()
    {
        await using (await ServeAsync(new(), failurePolicy: "Fail")) await _cluster.KubectlAsync("apply", "-f", _cluster.Write("good.yaml", Manifest()));

        await _cluster.KubectlAsync("patch", "otj", "opt-tiny", "--subresource=status", "--type=merge", "-p", """{"status":{"step":7}}""");
        var edit = await _cluster.TryKubectlAsync("label", "otj", "opt-tiny", "team=a");

        Assert.Equal(1, edit.ExitCode);   // so the webhook is down indeed
        Assert.Contains("failed calling webhook", edit.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_the_webhook_is_down_writes_go_on_and_the_definition_still_refuses_what_it_can()
    {
        await using (await ServeAsync(new()))
        {
        }

        await _cluster.KubectlAsync("apply", "-f", _cluster.Write("good.yaml", Manifest()));
        var refused = await _cluster.TryKubectlAsync("patch", "otj", "opt-tiny", "--type=merge", "-p", """{"spec":{"training":{"seed":2}}}""");

        Assert.Contains("immutable", refused.Error, StringComparison.Ordinal);
        Assert.Equal("", await EditorAsync());
    }

    [Fact]
    public async Task Certificates_and_authorities_change_under_load_without_one_failed_call()
    {
        // Every look renews something: the authority outlives a certificate by little, so both change all the time.
        var certificates = new CertificateOptions { AuthorityLifetime = TimeSpan.FromSeconds(5), Lifetime = TimeSpan.FromSeconds(2), Overlap = TimeSpan.FromMilliseconds(500) };
        await using var webhooks = await ServeAsync(certificates, TimeSpan.FromMilliseconds(200), failurePolicy: "Fail");
        await _cluster.KubectlAsync("apply", "-f", _cluster.Write("good.yaml", Manifest()));
        var (bundles, served) = (new HashSet<string>(), new HashSet<string>());
        var jobs = _cluster.Client.Resource(Opt.Operator.Jobs.JobObject.Definition);
        var until = TimeProvider.System.GetUtcNow().AddSeconds(5);
        for (var i = 0; TimeProvider.System.GetUtcNow() < until; i++)
        {
            await jobs.PatchAsync(new("default", "opt-tiny"), Patch.Merge(new() { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["n"] = $"{i}" } } }), Cancelled);
            var secret = await _cluster.Client.Resource(Resources.Secrets).GetAsync(new("default", "webhooks"), Cancelled);
            bundles.Add(Convert.ToBase64String(secret.Data!["ca.crt"]));
            served.Add(Convert.ToBase64String(secret.Data!["tls.crt"]));
        }

        Assert.True(bundles.Count >= 2, $"{bundles.Count} authorities");
        Assert.True(served.Count >= 2, $"{served.Count} certificates");
    }

    [Fact]
    public async Task Two_replicas_agree_on_one_certificate()
    {
        await using var one = await ServeAsync(new());
        var before = (await _cluster.Client.Resource(Resources.Secrets).GetAsync(new("default", "webhooks"), Cancelled)).Metadata.ResourceVersion;

        await using var other = await WebhookServer.StartAsync(Options(new(), TimeSpan.FromMinutes(1)), _cluster.Client, TimeProvider.System, NullLoggerFactory.Instance, Cancelled);

        Assert.True(other.IsReady);
        Assert.Equal(before, (await _cluster.Client.Resource(Resources.Secrets).GetAsync(new("default", "webhooks"), Cancelled)).Metadata.ResourceVersion);
    }

    [Fact]
    public async Task A_folder_that_somebody_else_renews_is_served_as_it_changes_and_half_a_renewal_is_not()
    {
        var made = ServingCertificates.Next(null, ["localhost"], new(), TimeProvider.System.GetUtcNow());
        var next = ServingCertificates.Next(null, ["localhost"], new(), TimeProvider.System.GetUtcNow());
        var folder = Path.GetDirectoryName(_cluster.Write("tls/tls.crt", made.Certificate))!;
        _cluster.Write("tls/tls.key", made.Key);
        var source = new CertificateFolder(folder);

        using var first = await source.RefreshAsync(Cancelled);
        Assert.Null(await source.RefreshAsync(Cancelled));
        _cluster.Write("tls/tls.crt", next.Certificate);
        await Assert.ThrowsAsync<IOException>(() => source.RefreshAsync(Cancelled));
        _cluster.Write("tls/tls.key", next.Key);
        using var second = await source.RefreshAsync(Cancelled);

        Assert.NotEqual(first!.Thumbprint, second!.Thumbprint);
    }

    private static string Manifest() => File.ReadAllText(Repo.PathOf("examples", "opt-tiny.yaml"));

    private Task<string> EditorAsync() => _cluster.KubectlAsync("get", "otj", "opt-tiny", "-o", @"jsonpath={.metadata.annotations.training\.opt-operator\.io/edited-by}");

    private static WebhookOptions Options(CertificateOptions certificates, TimeSpan period) =>
        new() { Port = 0, Names = ["127.0.0.1"], Secret = new("default", "webhooks"), Configuration = "opt", Certificates = certificates, Period = period };

    /// <summary>Starts the webhooks and has the API server call them.</summary>
    private async Task<WebhookServer> ServeAsync(CertificateOptions certificates, TimeSpan? period = null, string failurePolicy = "Ignore")
    {
        var server = await WebhookServer.StartAsync(Options(certificates, period ?? TimeSpan.FromMinutes(1)), _cluster.Client, TimeProvider.System, NullLoggerFactory.Instance, Cancelled);
        foreach (var (kind, path) in new[] { ("MutatingWebhookConfiguration", WebhookServer.MutatePath), ("ValidatingWebhookConfiguration", WebhookServer.ValidatePath) })
        {
            await _cluster.KubectlAsync("apply", "-f", _cluster.Write($"{kind}.yaml", Configuration(kind, server.Port, path, failurePolicy, await BundleAsync())));
        }

        return server;
    }

    private async Task<string> BundleAsync() => Convert.ToBase64String((await _cluster.Client.Resource(Resources.Secrets).GetAsync(new("default", "webhooks"), Cancelled)).Data!["ca.crt"]);

    private static string Configuration(string kind, int port, string path, string failurePolicy, string bundle) => $$"""
        apiVersion: admissionregistration.k8s.io/v1
        kind: {{kind}}
        metadata: {name: opt}
        webhooks:
          - name: jobs.training.opt-operator.io
            admissionReviewVersions: [v1]
            sideEffects: None
            failurePolicy: {{failurePolicy}}
            timeoutSeconds: 5
            clientConfig: {url: "https://127.0.0.1:{{port}}{{path}}", caBundle: "{{bundle}}"}
            rules:
              - {apiGroups: [training.opt-operator.io], apiVersions: [v1alpha1], operations: [CREATE, UPDATE], resources: [opttrainingjobs], scope: Namespaced}
        """;
}
