using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Opt.Api;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.Testing;

namespace Opt.Scenarios.World;

/// <summary>What the chart lets the operator do, and what of it the operator used.</summary>
internal sealed class Permissions
{
    public const string Namespace = "opt-system", Release = "opt-opt-operator";
    private const string Group = "rbac.authorization.k8s.io";
    private static readonly string[] Kinds = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
    private readonly ConcurrentDictionary<AccessQuestion, byte> _asked = new();

    public UserInfo User { get; } = new($"system:serviceaccount:{Namespace}:{Release}", ["system:serviceaccounts", $"system:serviceaccounts:{Namespace}", "system:authenticated"]);

    /// <summary>The chart's roles and bindings of the operator, as rendered with its own values.</summary>
    public IReadOnlyList<JsonObject> Objects { get; } = [.. Yaml.Parse(File.ReadAllText(Repo.PathOf("tests", "golden", "chart", "default", "rendered.yaml")))
        .Select(o => o.AsObject()).Where(o => Kinds.Contains((string?)o["kind"]) && ((string)o["metadata"]!["name"]!).StartsWith(Release, StringComparison.Ordinal) && !((string)o["metadata"]!["name"]!).Contains("-job-", StringComparison.Ordinal) && o["metadata"]!["annotations"]?["helm.sh/hook"] is null)];

    /// <summary>Every question of authorization that a request of the operator raised.</summary>
    public IReadOnlyList<AccessQuestion> Asked => [.. _asked.Keys];

    public void Audit(AccessQuestion question)
    {
        if (question.User.Name == User.Name && question.Path is null) _asked[question with { User = User }] = 0;
    }

    public async Task GrantAsync(IClusterApi api, Caller caller, CancellationToken ct)
    {
        await api.CreateAsync(new("", "v1", "namespaces"), null, new() { ["metadata"] = new JsonObject { ["name"] = Namespace } }, caller, ct);
        foreach (var item in Objects) await api.CreateAsync(Resource(item), (string?)item["metadata"]!["namespace"], item.DeepClone().AsObject(), caller, ct);
    }

    /// <summary>The resource of a role or binding.</summary>
    public static ResourceId Resource(JsonObject item) => new(Group, "v1", ((string)item["kind"]!).ToLowerInvariant() + "s");
}
