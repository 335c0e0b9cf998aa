using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Opt.Kubernetes;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.Operator.Dashboard;
using Opt.Operator.Dashboard.Access;
using Opt.Operator.Tests.Live;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Dashboard;

public sealed class DashboardServerTests
{
    private const string Job = "api/v1/jobs/research/opt-175b";
    private static readonly SampleData Data = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_whole_run_is_a_few_thousand_points_with_every_spike_and_a_stretch_is_finer()
    {
        await using var server = await ServeAsync();
        using var http = Client(server);

        var whole = await JsonAsync(http, $"{Job}/steps?points=2000");
        var stretch = await JsonAsync(http, $"{Job}/steps?points=2000&from=60900&to=61300");

        Assert.Equal(143_000, (int)whole["total"]!);
        Assert.InRange(whole["columns"]!["step"]!.AsArray().Count, 1000, 2010);
        Assert.True(whole["columns"]!["loss"]!.AsArray().Count(v => (double)v! > 4.5) >= 6, "a spike is lost");
        Assert.Equal(401, stretch["columns"]!["step"]!.AsArray().Count);
    }

    [Fact]
    public async Task A_stream_begins_with_the_state_and_brings_new_steps()
    {
        var data = new SampleData(steps: 100);
        await using var server = await DashboardServer.StartAsync(IPAddress.Loopback, 0, data, new TokenAccess(null), TimeProvider.System, Cancelled);
        using var http = Client(server);
        using var stream = new StreamReader(await http.GetStreamAsync($"{Job}/events?after=100", Cancelled));

        Assert.Equal("event: state", await stream.ReadLineAsync(Cancelled));
        Assert.Contains("\"phase\":\"Running\"", await stream.ReadLineAsync(Cancelled), StringComparison.Ordinal);
        data.Record("uid-opt-175b").Columns.Add(SampleData.Record(101, new(1)));
        await stream.ReadLineAsync(Cancelled);
        Assert.Equal("event: steps", await stream.ReadLineAsync(Cancelled));
        Assert.Contains("\"step\":[101]", await stream.ReadLineAsync(Cancelled), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_logbook_is_whole_though_the_state_holds_the_newest_entries_alone()
    {
        await using var server = await ServeAsync();
        using var http = Client(server);

        var state = await JsonAsync(http, Job);
        var logbook = await JsonAsync(http, $"{Job}/logbook");

        Assert.Equal(6, state["logbook"]!.AsArray().Count);
        Assert.Equal((300, 300), ((int)logbook["total"]!, logbook["entries"]!.AsArray().Count));
        Assert.Equal(2, (int)state["recorded"]!["logbook"]!);
    }

    [Fact]
    public async Task A_stream_tells_of_steps_that_a_new_epoch_took_back_and_brings_them_again()
    {
        var data = new SampleData(steps: 100);
        await using var server = await DashboardServer.StartAsync(IPAddress.Loopback, 0, data, new TokenAccess(null), TimeProvider.System, Cancelled);
        using var http = Client(server);
        using var stream = new StreamReader(await http.GetStreamAsync($"{Job}/events?after=100", Cancelled));
        Assert.Contains("\"curves\":\"0.0\"", await UntilAsync(stream, "data: "), StringComparison.Ordinal);

        data.Record("uid-opt-175b").Columns.Add(SampleData.Record(51, new(1)) with { Epoch = 2 });
        Assert.Contains("\"curves\":\"0.1\"", await UntilAsync(stream, "data: "), StringComparison.Ordinal);
        data.Record("uid-opt-175b").Columns.Add(SampleData.Record(52, new(1)) with { Epoch = 2 });
        Assert.Contains("\"step\":[52]", await UntilAsync(stream, "data: "), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("api/v1/jobs", 401)]
    [InlineData("api/v1/events", 401)]
    [InlineData("api/v1/jobs/research/opt-175b", 401)]
    [InlineData("api/v1/jobs/research/opt-175b/steps", 401)]
    [InlineData("api/v1/jobs/research/opt-175b/logbook", 401)]
    [InlineData("api/v1/jobs/research/opt-175b/events", 401)]
    [InlineData("", 200)]
    [InlineData("main.js", 200)]
    [InlineData("vendor/uPlot.LICENSE.txt", 200)]
    [InlineData("../crds", 404)]
    [InlineData("opttrainingjobs.yaml", 404)]
    public async Task Without_a_token_there_are_files_but_no_data(string path, int expected)
    {
        await using var server = await DashboardServer.StartAsync(IPAddress.Loopback, 0, Data, new TokenAccess("good"), TimeProvider.System, Cancelled);
        using var http = Client(server);

        using var answer = await http.GetAsync(path, Cancelled);

        Assert.Equal(expected, (int)answer.StatusCode);
        Assert.Contains("default-src 'none'", Assert.Single(answer.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("api/v1/jobs/research/nobody", 404, "there is no job research/nobody")]
    [InlineData(Job + "/steps?points=0", 400, "points must be 1 to 20000")]
    [InlineData(Job + "/steps?points=many", 400, "points must be")]
    [InlineData(Job + "/steps?from=-1", 400, "from and to must be steps")]
    public async Task A_wrong_request_is_told_what_is_wrong(string path, int expected, string said)
    {
        await using var server = await ServeAsync();
        using var http = Client(server);

        using var answer = await http.GetAsync(path, Cancelled);

        Assert.Equal(expected, (int)answer.StatusCode);
        Assert.Contains(said, await answer.Content.ReadAsStringAsync(Cancelled), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Signing_in_puts_the_token_where_scripts_and_other_sites_cannot_use_it()
    {
        await using var server = await DashboardServer.StartAsync(IPAddress.Loopback, 0, Data, new TokenAccess("good"), TimeProvider.System, Cancelled);
        using var http = Client(server);

        using var wrong = await http.PostAsync("api/v1/login", new StringContent("bad"), Cancelled);
        using var right = await http.PostAsync("api/v1/login", new StringContent(" good\n"), Cancelled);
        using var after = await http.GetAsync("api/v1/jobs", Cancelled);   // the handler keeps cookies

        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        var cookie = Assert.Single(right.Headers.GetValues("Set-Cookie"));
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(HttpStatusCode.OK, after.StatusCode);
    }

    [Fact]
    public async Task The_api_server_decides_who_sees_which_namespace()
    {
        var tokens = new Dictionary<string, UserInfo> { ["admin-token"] = new("admin", ["system:masters", "system:authenticated"]), ["team-token"] = new("team", ["system:authenticated"]), ["other-token"] = new("other", ["system:authenticated"]) };
        await using var cluster = await LiveCluster.StartAsync(rbac: true, tokens);
        await cluster.KubectlAsync("create", "namespace", "research");
        await cluster.KubectlAsync("create", "role", "see", "--verb=get,list", "--resource=opttrainingjobs.training.opt-operator.io", "-n", "research");
        await cluster.KubectlAsync("create", "rolebinding", "see", "--role=see", "--user=team", "-n", "research");
        using var access = new ApiServerAccess(KubernetesClientConfiguration.BuildConfigFromConfigFile([cluster.Kubeconfig]), TimeProvider.System);
        await using var server = await DashboardServer.StartAsync(IPAddress.Loopback, 0, Data, access, TimeProvider.System, Cancelled);

        Assert.Equal(["opt-175b", "opt-1.3b"], await SeenAsync(server, "admin-token"));
        Assert.Equal(["opt-175b"], await SeenAsync(server, "team-token"));
        Assert.Equal([], await SeenAsync(server, "other-token"));
        Assert.Equal(200, await StatusAsync(server, Job, "team-token"));
        Assert.Equal(403, await StatusAsync(server, "api/v1/jobs/team-b/opt-1.3b", "team-token"));
        Assert.Equal(401, await StatusAsync(server, Job, "made-up"));
        Assert.Equal(401, await StatusAsync(server, Job, null));
    }

    private static Task<DashboardServer> ServeAsync() => DashboardServer.StartAsync(IPAddress.Loopback, 0, Data, new TokenAccess(null), TimeProvider.System, Cancelled);

    private static HttpClient Client(DashboardServer server) => new() { BaseAddress = server.Address, Timeout = TimeSpan.FromSeconds(30) };

    private static async Task<string> UntilAsync(StreamReader stream, string beginning)
    {
        while (true) if (await stream.ReadLineAsync(Cancelled) is { } line && line.StartsWith(beginning, StringComparison.Ordinal)) return line;
    }

    private static async Task<JsonNode> JsonAsync(HttpClient http, string path) => JsonNode.Parse(await http.GetStringAsync(path, Cancelled))!;

    private static async Task<IEnumerable<string>> SeenAsync(DashboardServer server, string token)
    {
        using var http = Client(server);
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return (await JsonAsync(http, "api/v1/jobs"))["jobs"]!.AsArray().Select(j => (string)j!["name"]!);
    }

    private static async Task<int> StatusAsync(DashboardServer server, string path, string? token)
    {
        using var http = Client(server);
        if (token is not null) http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await http.GetAsync(path, Cancelled);
        return (int)answer.StatusCode;
    }
}
