using Microsoft.AspNetCore.Http;
using Opt.Testing;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class CredentialTests
{
    private static readonly ObjectKey Key = new("n", "a");

    [Fact]
    public async Task A_rotated_token_file_is_read_again_at_once_when_the_old_token_is_refused()
    {
        using var folder = new TempFolder();
        var accepted = "first";
        await using var server = await ServerAcceptingAsync(() => accepted);
        using var client = new KubernetesClient(new KubernetesClientConfiguration { Host = server.Host, TokenFile = folder.Write("token", "first\n") });
        var pods = client.Resource(Resources.Pods);

        await pods.GetAsync(Key, default);
        folder.Write("token", "second");
        accepted = "second";
        await pods.GetAsync(Key, default);

        Assert.Equal(["Bearer first", "Bearer first", "Bearer second"], server.Requests.Select(r => r.Authorization));
    }

    [Fact]
    public async Task A_rotated_token_file_is_read_again_after_a_minute_without_being_refused()
    {
        using var folder = new TempFolder();
        var clock = new VirtualTime();
        await using var server = await ServerAcceptingAsync(() => null);
        using var client = new KubernetesClient(new KubernetesClientConfiguration { Host = server.Host, TokenFile = folder.Write("token", "first") }, clock: clock);
        var pods = client.Resource(Resources.Pods);

        await pods.GetAsync(Key, default);
        folder.Write("token", "second");
        await pods.GetAsync(Key, default);
        await clock.AdvanceAsync(TimeSpan.FromSeconds(61), () => Task.CompletedTask);
        await pods.GetAsync(Key, default);

        Assert.Equal(["Bearer first", "Bearer first", "Bearer second"], server.Requests.Select(r => r.Authorization));
    }

    [Fact]
    public async Task A_token_that_stays_refused_is_reported_after_one_more_try()
    {
        await using var server = await ServerAcceptingAsync(() => "another");
        using var client = new KubernetesClient(new KubernetesClientConfiguration { Host = server.Host, AccessToken = "mine" });
        var refused = await Assert.ThrowsAsync<KubernetesException>(() => client.Resource(Resources.Pods).GetAsync(Key, default));
        Assert.Equal((401, 2), (refused.Code, server.Requests.Count));
        Assert.DoesNotContain("mine", refused.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task User_and_password_are_sent_as_basic_authentication()
    {
        await using var server = await ServerAcceptingAsync(() => null);
        using var client = new KubernetesClient(new KubernetesClientConfiguration { Host = server.Host, Username = "u", Password = "p" });
        await client.Resource(Resources.Pods).GetAsync(Key, default);
        Assert.Equal("Basic dTpw", server.Requests[0].Authorization);
    }

    [Fact]
    public async Task An_exec_plugin_is_run_with_its_arguments_and_environment_and_its_token_is_used_until_it_expires()
    {
        using var folder = new TempFolder();
        var script = folder.WriteScript("plugin", $$"""
            echo run >> {{folder.PathOf("runs")}}
            echo "$KUBERNETES_EXEC_INFO" > {{folder.PathOf("info")}}
            n=$(wc -l < {{folder.PathOf("runs")}})
            echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'$1-$SUFFIX-$n'","expirationTimestamp":"2026-01-01T01:00:00Z"} }'
            """);
        var clock = new VirtualTime();
        await using var server = await ServerAcceptingAsync(() => null);
        var exec = new ExecPlugin("client.authentication.k8s.io/v1", script, ["token"], new Dictionary<string, string> { ["SUFFIX"] = "x" }, ProvideClusterInfo: true);
        using var client = new KubernetesClient(new KubernetesClientConfiguration { Host = server.Host, Exec = exec }, clock: clock);
        var pods = client.Resource(Resources.Pods);

        await pods.GetAsync(Key, default);
        await Task.WhenAll(pods.GetAsync(Key, default), pods.GetAsync(Key, default));
        await clock.AdvanceAsync(TimeSpan.FromMinutes(59.9), () => Task.CompletedTask);   // ten seconds before its end it is not used any more
        await pods.GetAsync(Key, default);

        Assert.Equal(["Bearer token-x-1", "Bearer token-x-1", "Bearer token-x-1", "Bearer token-x-2"], server.Requests.Select(r => r.Authorization));
        var info = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(folder.PathOf("info")))!;
        Assert.Equal(("ExecCredential", server.Host.AbsoluteUri.TrimEnd('/')), ((string?)info["kind"], (string?)info["spec"]!["cluster"]!["server"]));
    }

    [Fact]
    public async Task An_exec_plugin_is_run_again_when_its_token_is_refused()
    {
        using var folder = new TempFolder();
        var script = folder.WriteScript("plugin", $$"""
            echo run >> {{folder.PathOf("runs")}}
            echo '{"apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t'$(wc -l < {{folder.PathOf("runs")}})'"} }'
            """);
        var clock = new VirtualTime();
        var accepted = "t1";
        await using var server = await ServerAcceptingAsync(() => accepted);
        using var client = new KubernetesClient(new KubernetesClientConfiguration { Host = server.Host, Exec = Plugin(script) }, clock: clock);

        await client.Resource(Resources.Pods).GetAsync(Key, default);
        accepted = "t2";
        await clock.AdvanceAsync(TimeSpan.FromMinutes(1), () => Task.CompletedTask);
        await client.Resource(Resources.Pods).GetAsync(Key, default);

        Assert.Equal("Bearer t2", server.Requests[^1].Authorization);
    }

    [Theory]
    [InlineData("echo oops >&2; exit 3", "exited with 3: oops")]
    [InlineData("echo hello", "printed no ExecCredential")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"t"}}'""", "answered in \"client.authentication.k8s.io/v1beta1\", asked for \"client.authentication.k8s.io/v1\"")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1"}'""", "answered without a status")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1","status":{}}'""", "answered with neither token nor client certificate")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1","status":{"clientKeyData":"x"}}'""", "answered with only one of clientCertificateData and clientKeyData")]
    [InlineData("exec sleep 600", "gave no answer within 0.3 s")]
    public async Task An_exec_plugin_that_fails_says_how(string body, string says)
    {
        using var folder = new TempFolder();
        await using var server = await ServerAcceptingAsync(() => null);
        var exec = Plugin(folder.WriteScript("plugin", body)) with { Timeout = says.Contains("no answer", StringComparison.Ordinal) ? TimeSpan.FromSeconds(0.3) : TimeSpan.FromSeconds(30), InstallHint = "Ask the team." };
        using var client = new KubernetesClient(new KubernetesClientConfiguration { Host = server.Host, Exec = exec }, new() { MaxAttempts = 1 });

        var failed = await Assert.ThrowsAsync<KubernetesException>(() => client.Resource(Resources.Pods).GetAsync(Key, default));

        Assert.Contains(says, failed.InnerException!.Message, StringComparison.Ordinal);
        Assert.EndsWith("Ask the team.", failed.InnerException.Message, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task An_exec_plugin_that_is_not_there_says_so()
    {
        using var client = new KubernetesClient(new KubernetesClientConfiguration { Host = new("http://127.0.0.1:1"), Exec = Plugin("/nowhere/plugin") }, new() { MaxAttempts = 1 });
        var failed = await Assert.ThrowsAsync<KubernetesException>(() => client.Resource(Resources.Pods).GetAsync(Key, default));
        Assert.Contains("/nowhere/plugin cannot be started", failed.InnerException!.Message, StringComparison.Ordinal);
    }

    private static ExecPlugin Plugin(string command) => new("client.authentication.k8s.io/v1", command, [], new Dictionary<string, string>());

    private static Task<ApiServerStub> ServerAcceptingAsync(Func<string?> token) => ApiServerStub.StartAsync((HttpContext context) =>
        token() is { } wanted && context.Request.Headers.Authorization != $"Bearer {wanted}"
            ? ApiServerStub.Refuse(401, "Unauthorized")(context)
            : ApiServerStub.Json(200, """{"kind":"Pod","metadata":{"name":"a","namespace":"n","resourceVersion":"1"}}""")(context));
}
