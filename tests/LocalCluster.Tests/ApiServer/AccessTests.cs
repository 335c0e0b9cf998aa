using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.Testing;
using Xunit;

namespace Opt.LocalCluster.Tests.ApiServer;

public sealed class AccessTests : IAsyncLifetime
{
    private static readonly Caller Me = new("admin", "tests", ["system:masters"]);
    private readonly VirtualTime _clock = new();
    private EmbeddedApiServer _server = null!;

    private ServiceAccountTokens Tokens => _server.Context.Tokens!;

    public async ValueTask InitializeAsync() => _server = await EmbeddedApiServer.StartAsync(new ApiServerOptions { Clock = _clock, Seed = 1, Rbac = true }, CancellationToken.None);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_role_grants_what_it_names_where_it_is_bound_and_nothing_else()
    {
        await CreateAsync("rbac.authorization.k8s.io", "roles", """{"metadata":{"name":"reader"},"rules":[{"apiGroups":[""],"resources":["pods","pods/log"],"verbs":["get","list"]},{"apiGroups":["apps"],"resources":["statefulsets"],"resourceNames":["web"],"verbs":["*"]}]}""");
        await CreateAsync("rbac.authorization.k8s.io", "rolebindings", """{"metadata":{"name":"reader"},"roleRef":{"kind":"Role","name":"reader"},"subjects":[{"kind":"ServiceAccount","name":"default"}]}""");
        var account = new UserInfo("system:serviceaccount:default:default", ["system:serviceaccounts", "system:authenticated"]);

        Assert.True(May(account, "get", "", "pods"));
        Assert.True(May(account, "get", "", "pods", subresource: "log"));
        Assert.True(May(account, "delete", "apps", "statefulsets", name: "web"));
        Assert.False(May(account, "delete", "apps", "statefulsets", name: "other"));
        Assert.False(May(account, "delete", "", "pods"));
        Assert.False(May(account, "get", "", "pods", subresource: "exec"));
        Assert.False(May(account, "get", "", "pods", ns: "kube-system"));
        Assert.False(May(account, "list", "", "nodes", ns: null));
    }

    [Fact]
    public void Masters_may_do_everything_and_nobody_may_read_secrets()
    {
        Assert.True(May(new UserInfo("admin", ["system:masters"]), "delete", "", "nodes", ns: null));
        Assert.False(May(UserInfo.Anonymous, "get", "", "secrets"));
        Assert.True(_server.Context.Authorizer.Allows(new AccessQuestion(UserInfo.Anonymous, "get", "", "", null, null, null, "/livez")));
    }

    [Fact]
    public async Task A_requested_token_names_its_account_until_it_expires()
    {
        var answer = await _server.Api.CreateAsync(new ResourceId("", "v1", "serviceaccounts"), "default", Parse("""{"spec":{"expirationSeconds":600}}"""), Me, CancellationToken.None, "default", "token");
        var token = (string)answer["status"]!["token"]!;

        Assert.Equal("system:serviceaccount:default:default", Tokens.Authenticate(token)?.Name);
        Assert.Null(Tokens.Authenticate(token + "x"));
        Assert.Null(Tokens.Authenticate("bogus"));
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(601), () => Task.CompletedTask);
        Assert.Null(Tokens.Authenticate(token));
    }

    [Fact]
    public async Task A_token_dies_with_the_pod_it_is_bound_to()
    {
        await CreateAsync("", "pods", """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"x:1"}]}}""");
        var answer = await _server.Api.CreateAsync(new ResourceId("", "v1", "serviceaccounts"), "default", Parse("""{"spec":{"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"p"}}}"""), Me, CancellationToken.None, "default", "token");
        var token = (string)answer["status"]!["token"]!;
        Assert.NotNull(Tokens.Authenticate(token));

        await _server.Api.DeleteAsync(ResourceId.Pods, "default", "p", null, Me, CancellationToken.None);

        Assert.Null(Tokens.Authenticate(token));
    }

    [Fact]
    public async Task A_token_secret_is_filled_by_the_server()
    {
        await CreateAsync("", "secrets", """{"metadata":{"name":"t","annotations":{"kubernetes.io/service-account.name":"default"}},"type":"kubernetes.io/service-account-token"}""");

        var secret = await _server.Api.GetAsync(new ResourceId("", "v1", "secrets"), "default", "t", CancellationToken.None);
        var token = System.Text.Encoding.UTF8.GetString(Convert.FromBase64String((string)secret["data"]!["token"]!));
        Assert.Equal("system:serviceaccount:default:default", Tokens.Authenticate(token)?.Name);
    }

    private bool May(UserInfo user, string verb, string group, string resource, string? ns = "default", string? name = null, string? subresource = null) =>
        _server.Context.Authorizer.Allows(new AccessQuestion(user, verb, group, resource, subresource, ns, name));

    private Task<JsonObject> CreateAsync(string group, string plural, string body) => _server.Api.CreateAsync(new ResourceId(group, "v1", plural), "default", Parse(body), Me, CancellationToken.None);

    private static JsonObject Parse(string text) => (JsonObject)JsonNode.Parse(text)!;
}
