using System.Text.Json.Nodes;
using Xunit;

namespace Opt.Layout.Chart;

public sealed class ChartSecurityTests
{
    private static readonly string[] Scopes = ["scope=cluster", "scope=namespace"];

    public static TheoryData<string> EveryScope => [.. Scopes];

    [Fact]
    public async Task The_operator_pod_meets_the_restricted_pod_security_standard()
    {
        var pod = (await Helm.ObjectsAsync()).Single(o => (string?)o["kind"] == "Deployment")["spec"]!["template"]!["spec"]!;
        var container = pod["containers"]!.AsArray().Single()!;

        Assert.Null(pod["hostNetwork"]);
        Assert.Equal("RuntimeDefault", (string?)pod["securityContext"]!["seccompProfile"]!["type"]);
        Assert.True((bool)pod["securityContext"]!["runAsNonRoot"]!);
        Assert.False((bool)container["securityContext"]!["allowPrivilegeEscalation"]!);
        Assert.True((bool)container["securityContext"]!["readOnlyRootFilesystem"]!);
        Assert.Equal("""["ALL"]""", container["securityContext"]!["capabilities"]!["drop"]!.ToJsonString());
        Assert.NotNull(container["resources"]!["limits"]!["memory"]);
    }

    [Theory]
    [MemberData(nameof(EveryScope))]
    public async Task No_role_holds_a_wildcard(string scope) => Assert.All(await RulesAsync(scope), rule =>
    {
        Assert.DoesNotContain("*", Strings(rule["apiGroups"]));
        Assert.DoesNotContain("*", Strings(rule["resources"]));
        Assert.DoesNotContain("*", Strings(rule["verbs"]));
    });

    [Theory]
    [MemberData(nameof(EveryScope))]
    public async Task Nobody_may_list_or_watch_secrets(string scope)
    {
        var verbs = (await RulesAsync(scope)).Where(r => Strings(r["resources"]).Contains("secrets")).SelectMany(r => Strings(r["verbs"]));

        Assert.Empty(verbs.Intersect(["list", "watch", "delete", "deletecollection"]));
    }

    [Fact]
    public async Task Namespace_scope_asks_for_nothing_outside_its_namespace()
    {
        var objects = await Helm.ObjectsAsync("--set", "scope=namespace,networkPolicy.enabled=true,metrics.podMonitor.enabled=true");

        Assert.DoesNotContain(objects, o => ((string?)o["kind"])!.StartsWith("Cluster", StringComparison.Ordinal));
        Assert.All(objects, o => Assert.Equal("opt-system", (string?)o["metadata"]!["namespace"]));
        Assert.DoesNotContain(await RulesAsync("scope=namespace"), r => Strings(r["resources"]).Contains("nodes"));
    }

    [Theory]
    [MemberData(nameof(EveryScope))]
    public async Task People_may_edit_jobs_but_never_their_status(string scope)
    {
        var editor = (await Helm.ObjectsAsync("--set", scope)).Single(o => o.Id().EndsWith("-job-editor", StringComparison.Ordinal));
        var verbs = editor["rules"]!.AsArray().Where(r => Strings(r!["resources"]).Contains("opttrainingjobs/status")).SelectMany(r => Strings(r!["verbs"]));

        Assert.Equal(["get"], verbs);
    }

    [Theory]
    [MemberData(nameof(EveryScope))]
    public async Task Every_binding_names_a_role_and_an_account_that_the_chart_makes(string scope)
    {
        var objects = await Helm.ObjectsAsync("--set", scope);
        var made = objects.Select(o => o.Id()).ToHashSet();

        Assert.All(objects.Where(o => ((string?)o["kind"])!.EndsWith("RoleBinding", StringComparison.Ordinal)), binding =>
        {
            Assert.Contains($"{binding["roleRef"]!["kind"]}/{binding["roleRef"]!["name"]}", made);
            Assert.All(binding["subjects"]!.AsArray(), s => Assert.Contains($"{s!["kind"]}/{s["name"]}", made));
        });
    }

    private static async Task<List<JsonNode>> RulesAsync(string scope) =>
        [.. (await Helm.ObjectsAsync("--set", scope)).Where(o => ((string?)o["kind"])!.EndsWith("Role", StringComparison.Ordinal)).SelectMany(o => o["rules"]!.AsArray()).OfType<JsonNode>()];

    private static IEnumerable<string> Strings(JsonNode? list) => list!.AsArray().Select(s => (string)s!);
}
