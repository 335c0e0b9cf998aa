using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Opt.LocalCluster.ApiServer.Auth;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class KubeConfigTests
{
    private const string Whole = """
        apiVersion: v1
        kind: Config
        current-context: dev
        clusters:
        - name: one
          cluster: {server: "https://10.0.0.1:6443/base", tls-server-name: api.example, insecure-skip-tls-verify: true, proxy-url: "socks5://127.0.0.1:1080"}
        - name: two
          cluster:
            server: http://localhost:8080
        users:
        - name: token
          user: {token: abc, tokenFile: tokens/t}
        - name: basic
          user: {username: u, password: "0123"}
        - name: exec
          user:
            exec:
              apiVersion: client.authentication.k8s.io/v1
              command: ./bin/plugin
              args: [get, "-v"]
              env: [{name: A, value: B}]
              interactiveMode: IfAvailable
              provideClusterInfo: true
              installHint: install it
        contexts:
        - name: dev
          context: {cluster: one, user: token, namespace: team}
        - name: plain
          context: {cluster: two, user: basic}
        - name: plugged
          context: {cluster: two, user: exec}
        - name: anonymous
          context: {cluster: two, user: ""}
        """;

    [Fact]
    public void The_current_context_decides_unless_another_is_asked_for()
    {
        var dev = Resolve(Whole, null);
        Assert.Equal((new Uri("https://10.0.0.1:6443/base"), "team", "api.example", true), (dev.Host, dev.Namespace, dev.TlsServerName, dev.SkipTlsVerify));
        Assert.Equal(new Uri("socks5://127.0.0.1:1080"), dev.Proxy);
        Assert.Equal(("abc", "/etc/kube/tokens/t"), (dev.AccessToken, dev.TokenFile));

        var plain = Resolve(Whole, "plain");
        Assert.Equal((new Uri("http://localhost:8080"), "default", "u", "0123"), (plain.Host, plain.Namespace, plain.Username, plain.Password));
        Assert.Null(Resolve(Whole, "anonymous").Username);
    }

    [Fact]
    public void An_exec_plugin_is_found_relative_to_the_file()
    {
        var exec = Resolve(Whole, "plugged").Exec!;
        Assert.Equal(("/etc/kube/./bin/plugin", "client.authentication.k8s.io/v1", true, "install it"), (exec.Command, exec.ApiVersion, exec.ProvideClusterInfo, exec.InstallHint));
        Assert.Equal(["get", "-v"], exec.Arguments);
        Assert.Equal("B", exec.Environment["A"]);
    }

    [Theory]
    [InlineData("token", "abc", "nope", "/etc/kube/config: there is no context \"nope\". Known: anonymous, dev, plain, plugged.")]
    [InlineData("cluster: one,", "cluster: ten,", null, "/etc/kube/config: there is no cluster \"ten\". Known: one, two.")]
    [InlineData("user: token,", "user: ten,", null, "/etc/kube/config: there is no user \"ten\". Known: basic, exec, token.")]
    [InlineData("current-context: dev", "", null, "/etc/kube/config: current-context is not set, and no context was asked for. Known: anonymous, dev, plain, plugged.")]
    [InlineData("https://10.0.0.1:6443/base", "10.0.0.1:6443", null, "/etc/kube/config: clusters[0].cluster.server is \"10.0.0.1:6443\"; allowed: a URL with one of the schemes http, https.")]
    [InlineData("server: \"https://10.0.0.1:6443/base\",", "", null, "/etc/kube/config: clusters[0].cluster.server is missing.")]
    [InlineData("socks5://", "ftp://", null, "/etc/kube/config: clusters[0].cluster.proxy-url is \"ftp://127.0.0.1:1080\"; allowed: a URL with one of the schemes http, https, socks5.")]
    [InlineData("verify: true", "verify: yes", null, "/etc/kube/config: clusters[0].cluster.insecure-skip-tls-verify is \"yes\"; allowed: true and false.")]
    [InlineData("tls-server-name: api.example", "certificate-authority-data: '%%'", null, "/etc/kube/config: clusters[0].cluster.certificate-authority-data is not base64.")]
    [InlineData("tls-server-name: api.example", "certificate-authority-data: aGVsbG8=", null, "/etc/kube/config: clusters[0].cluster.certificate-authority holds no PEM certificate.")]
    [InlineData("token: abc,", "client-key-data: aGVsbG8=,", null, "/etc/kube/config: users[0].user.client-certificate is missing.")]
    [InlineData("authentication.k8s.io/v1", "authentication.k8s.io/v1alpha1", "plugged", "/etc/kube/config: users[2].user.exec.apiVersion is \"client.authentication.k8s.io/v1alpha1\"; allowed: client.authentication.k8s.io/v1 and v1beta1.")]
    [InlineData("IfAvailable", "Always", "plugged", "/etc/kube/config: users[2].user.exec.interactiveMode is \"Always\", but there is nobody to ask; allowed: Never and IfAvailable.")]
    [InlineData("current-context: dev", "current-context: [dev]", null, "/etc/kube/config: current-context must be a single value.")]
    public void What_is_wrong_is_named_with_file_field_value_and_what_is_allowed(string replace, string with, string? context, string message) =>
        Assert.Equal(message, Assert.Throws<KubeConfigException>(() => Resolve(Whole.Replace(replace, with, StringComparison.Ordinal), context)).Message);

    [Theory]
    [InlineData("a: [", "is not YAML")]
    [InlineData("- a", "is not a kubeconfig")]
    [InlineData("clusters: one", "clusters must be a list")]
    [InlineData("clusters: [one]", "clusters[0] must be a mapping")]
    [InlineData("", "current-context is not set")]
    public void A_file_that_is_no_kubeconfig_is_refused(string text, string says) =>
        Assert.Contains(says, Assert.Throws<KubeConfigException>(() => Resolve(text, null)).Message, StringComparison.Ordinal);

    [Fact]
    public void Of_several_files_the_first_wins_and_missing_ones_are_skipped()
    {
        using var folder = new TempFolder();
        var first = folder.Write("first", "current-context: c\nclusters: [{name: x, cluster: {server: 'http://first'}}]\n");
        var second = folder.Write("second", "current-context: other\nclusters: [{name: x, cluster: {server: 'http://second'}}]\ncontexts: [{name: c, context: {cluster: x, user: ''}}]\n");
        Assert.Equal(new Uri("http://first"), KubernetesClientConfiguration.BuildConfigFromConfigFile([first, folder.PathOf("absent"), second]).Host);
        Assert.Contains("There is no kubeconfig at", Assert.Throws<KubeConfigException>(() => KubernetesClientConfiguration.BuildConfigFromConfigFile([folder.PathOf("absent")])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Certificates_may_be_files_beside_the_kubeconfig()
    {
        using var folder = new TempFolder();
        using var authority = CertificateAuthority.Create(TimeProvider.System);
        var (certificate, key) = authority.IssueClient("me", []);
        folder.Write("ca.pem", authority.Pem);
        folder.Write("me.pem", certificate);
        folder.Write("me.key", key);
        var config = folder.Write("config", """
            current-context: c
            clusters: [{name: x, cluster: {server: "https://h", certificate-authority: ca.pem}}]
            users: [{name: u, user: {client-certificate: me.pem, client-key: me.key}}]
            contexts: [{name: c, context: {cluster: x, user: u}}]
            """);
        var resolved = KubernetesClientConfiguration.BuildConfigFromConfigFile([config]);
        Assert.Single(resolved.CertificateAuthorities);
        Assert.True(resolved.ClientCertificate!.HasPrivateKey);
    }

    [Fact]
    public void Inside_a_pod_the_service_account_is_used()
    {
        using var folder = new TempFolder();
        using var authority = CertificateAuthority.Create(TimeProvider.System);
        folder.Write("token", "t");
        folder.Write("ca.crt", authority.Pem);
        folder.Write("namespace", "team\n");
        var config = KubernetesClientConfiguration.InClusterConfig("fd00::1", "443", folder.Path);
        Assert.Equal((new Uri("https://[fd00::1]:443"), "team", folder.PathOf("token")), (config.Host, config.Namespace, config.TokenFile));
        Assert.Throws<KubeConfigException>(() => KubernetesClientConfiguration.InClusterConfig(null, null, folder.Path));
    }

    [Fact]
    public void Credentials_do_not_show_in_text()
    {
        var text = Resolve(Whole, null).ToString();
        Assert.DoesNotContain("abc", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_kubeconfig_is_read_or_refused_and_never_crashes() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var random = new Random(seed);
            var text = new StringBuilder(Whole);
            for (var damage = random.Next(1, 8); damage > 0; damage--) Damage(text, random);
            try
            {
                var config = KubeConfig.Parse(text.ToString(), "/etc/kube/config");
                foreach (var context in new[] { null, "dev", "plain", "plugged" })
                {
                    try
                    {
                        config.Resolve(context);
                    }
                    catch (KubeConfigException)
                    {
                        // refused
                    }
                }
            }
            catch (KubeConfigException)
            {
                // refused
            }
        }).Check(Soak.Runs(1_000, 100_000));

    private static void Damage(StringBuilder text, Random random)
    {
        var at = random.Next(text.Length);
        switch (random.Next(4))
        {
            case 0: text[at] = "{}[]:,&*!|>'\"%@`#-?\t\n\0 \u00e9\ud800"[random.Next(25)]; break;
            case 1: text.Remove(at, Math.Min(random.Next(1, 30), text.Length - at)); break;
            case 2: text.Insert(at, text.ToString(at, Math.Min(random.Next(1, 60), text.Length - at))); break;
            default: text.Insert(at, new[] { "&a ", "*a", "!!binary ", "<<: *a\n", "null", "[[[[", "---\n", "\ufeff" }[random.Next(8)]); break;
        }
    }

    private static KubernetesClientConfiguration Resolve(string text, string? context) => KubeConfig.Parse(text, "/etc/kube/config").Resolve(context);
}
