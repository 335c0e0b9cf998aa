using Opt.LocalCluster.ApiServer.Auth;
using Opt.Testing;
using Xunit;

namespace Opt.Kubernetes.Tests;

/// <summary>Client certificates that are renewed under a running client.</summary>
public sealed class CertificateFilesTests
{
    [Fact]
    public async Task A_renewed_certificate_is_used_once_the_server_refuses_the_old_one()
    {
        await using var cluster = await Cluster.StartAsync();
        using var folder = new TempFolder();
        using var stranger = CertificateAuthority.Create(TimeProvider.System);
        Write(folder, stranger.IssueClient("me", ["system:masters"]));
        using var client = new KubernetesClient(Resolve(cluster, folder));
        var refused = await Assert.ThrowsAsync<KubernetesException>(() => client.Resource(Resources.Namespaces).ListAsync(null, null, default));
        Assert.Equal(401, refused.Code);

        Write(folder, cluster.Server.Authority.IssueClient("me", ["system:masters"]));

        Assert.NotEmpty((await client.Resource(Resources.Namespaces).ListAsync(null, null, default)).Items);
    }

    [Fact]
    public async Task Renewed_files_are_read_again_after_a_minute_and_a_half_replaced_pair_is_not_taken()
    {
        await using var cluster = await Cluster.StartAsync();
        using var folder = new TempFolder();
        var clock = new VirtualTime();
        var (first, second) = (cluster.Server.Authority.IssueClient("first", []), cluster.Server.Authority.IssueClient("second", []));
        Write(folder, first);
        using var source = Resolve(cluster, folder).CreateCredentialSource(clock);
        Assert.Equal("CN=first", await SubjectAsync(source));

        folder.Write("tls.crt", second.Certificate);
        Assert.Equal("CN=first", await SubjectAsync(source));
        await clock.AdvanceAsync(TimeSpan.FromSeconds(61), () => Task.CompletedTask);
        Assert.Equal("CN=first", await SubjectAsync(source));   // its key is not there yet

        folder.Write("tls.key", second.Key);
        await clock.AdvanceAsync(TimeSpan.FromSeconds(61), () => Task.CompletedTask);
        Assert.Equal("CN=second", await SubjectAsync(source));
    }

    [Fact]
    public async Task A_certificate_given_inline_is_never_looked_for_in_a_file()
    {
        await using var cluster = await Cluster.StartAsync();
        var configuration = cluster.Configuration();
        Assert.Null(configuration.ClientCertificateFile);
        using var source = configuration.CreateCredentialSource(TimeProvider.System);
        Assert.Same(configuration.ClientCertificate, (await source.GetAsync(refresh: true, default)).Certificate);
    }

    private static void Write(TempFolder folder, (string Certificate, string Key) pair)
    {
        folder.Write("tls.crt", pair.Certificate);
        folder.Write("tls.key", pair.Key);
    }

    private static KubernetesClientConfiguration Resolve(Cluster cluster, TempFolder folder)
    {
        folder.Write("ca.crt", cluster.Server.Authority.Pem);
        var path = folder.Write("config", $$"""
            apiVersion: v1
            kind: Config
            current-context: it
            clusters: [{name: it, cluster: {server: "{{cluster.Host.Address}}", certificate-authority: ca.crt} }]
            users: [{name: me, user: {client-certificate: tls.crt, client-key: tls.key} }]
            contexts: [{name: it, context: {cluster: it, user: me} }]
            """);
        return KubernetesClientConfiguration.BuildConfigFromConfigFile([path]);
    }

    private static async Task<string> SubjectAsync(ICredentialSource source) => (await source.GetAsync(refresh: false, default)).Certificate!.Subject.Split(',')[0];
}
