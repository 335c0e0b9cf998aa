using System.Text;
using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.Operator.Webhooks;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>The operator with the chart's roles and nothing else, on an API server that enforces them.</summary>
public sealed class PermissionScenarios
{
    // Wanted by an admission plugin (OwnerReferencesPermissionEnforcement) that is off by default and not part of the local API server.
    private const string OwnerReferences = "update opttrainingjobs/finalizers";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_charts_roles_are_enough_and_without_any_one_verb_something_fails()
    {
        var permissions = new Permissions();
        await Scenario.RunAsync(nodes: 4, async world =>
        {
            await LiveAsync(world);
            await LeadAsync(world);
            var asked = permissions.Asked;   // what follows asks more
            Assert.Empty(await DeniedAsync(world, asked));
            var idle = new List<string>();
            foreach (var role in permissions.Objects.Where(o => o["rules"] is not null)) idle.AddRange(await IdleVerbsAsync(world, role, asked));
            Assert.Equal([$"{OwnerReferences} (ClusterRole {Permissions.Release})"], idle);
        }, permissions);
    }

    [Fact]
    public Task The_agents_token_is_in_its_Secret_and_nowhere_else() => Scenario.RunAsync(nodes: 3, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        world.Nodes.Kill((await world.PlanAsync()).Members[1].Node);
        await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);

        var secret = Assert.Single(await world.ListAsync(new("", "v1", "secrets")), s => (string)s["metadata"]!["name"]! == "opt-agent");
        var encoded = (string)secret["data"]!["token"]!;
        var token = Encoding.UTF8.GetString(Convert.FromBase64String(encoded));
        Assert.InRange(token.Length, 32, 128);
        foreach (var resource in new ResourceId[] { Scenario.Jobs, Scenario.Checkpoints, ResourceId.Pods, ResourceId.StatefulSets, new("", "v1", "configmaps"), new("events.k8s.io", "v1", "events"), new("", "v1", "services") })
        {
            var everything = string.Concat((await world.ListAsync(resource)).Select(o => o.ToJsonString()));
            Assert.DoesNotContain(token, everything, StringComparison.Ordinal);
            Assert.DoesNotContain(encoded, everything, StringComparison.Ordinal);
        }
    });

    /// <summary>A job's whole life: launch, a checkpoint that retention lets go, edits enough for old plans to go, a dead machine, suspend and resume, the end.</summary>
    private static async Task LiveAsync(Scenario world)
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest.Replace("totalTokens: 3840", "totalTokens: 64000", StringComparison.Ordinal));
        await world.UntilAsync(s => s.Step >= 5);
        world.Agents.RetireOldest();
        for (var i = 0; i < 22; i++)
        {
            await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["training"] = new JsonObject { ["gradientClip"] = 0.5 + i / 100.0 } } });
            await world.AdvanceAsync(TimeSpan.FromSeconds(1));
        }

        await world.KillOperatorAsync();
        world.Link.StreamsLists = false;   // an older API server: lists, then watches
        world.StartOperator();
        world.Nodes.Kill((await world.PlanAsync()).Members[1].Node);
        await world.UntilAsync(s => s is { Epoch: > 1, Phase: JobPhase.Running }, seconds: 120);
        foreach (var suspend in new[] { true, false })
        {
            await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["suspend"] = suspend } });
            await world.UntilAsync(s => s.Phase == (suspend ? JobPhase.Suspended : JobPhase.Running), seconds: 60);
        }

        await world.Api.DeleteAsync(Scenario.Jobs, "ml", "opt", null, Scenario.User, Cancelled);
        await world.AdvanceAsync(TimeSpan.FromSeconds(30));
        // The store is still the deleted job's: the next one fails, and goes when its time is over.
        await world.CreateJobAsync(LifecycleScenarios.Manifest.Replace("  failurePolicy:", "  ttlSecondsAfterFinished: 1\n  failurePolicy:", StringComparison.Ordinal));
        await world.AdvanceAsync(TimeSpan.FromSeconds(60));
        Assert.Empty(await world.ListAsync(Scenario.Jobs));
    }

    /// <summary>What an operator does beside jobs: the lease, and the webhooks' certificates.</summary>
    private static async Task LeadAsync(Scenario world)
    {
        foreach (var kind in new[] { "mutating", "validating" })
        {
            await world.Api.CreateAsync(new("admissionregistration.k8s.io", "v1", $"{kind}webhookconfigurations"), null, Configuration(), Scenario.User, Cancelled);
        }

        using var client = new KubernetesClient(world.Link.Host, world.Link, new() { FieldManager = "opt-operator" }, world.Clock);
        var key = new ObjectKey(Permissions.Namespace, $"{Permissions.Release}-webhooks");
        using var made = await new CertificateSecret(client, new() { Port = 0, Names = ["localhost"], Secret = key, Configuration = Permissions.Release }, world.Clock).RefreshAsync(Cancelled);
        using var renamed = await new CertificateSecret(client, new() { Port = 0, Names = ["127.0.0.1"], Secret = key, Configuration = Permissions.Release }, world.Clock).RefreshAsync(Cancelled);
        Assert.NotEqual(made!.SerialNumber, renamed!.SerialNumber);

        using var leading = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var elector = new LeaderElector(client.Resource(Resources.Leases), new() { Lease = new(Permissions.Namespace, Permissions.Release), Identity = "one" }, world.Clock);
        var running = Task.Run(() => elector.RunAsync(async ct => await Task.Delay(Timeout.InfiniteTimeSpan, world.Clock, ct), leading.Token), Cancelled);
        await world.AdvanceAsync(TimeSpan.FromSeconds(10));
        await leading.CancelAsync();
        await world.AdvanceAsync(TimeSpan.FromSeconds(10));
        await running.WaitAsync(TimeSpan.FromSeconds(30), Cancelled).ContinueWith(_ => { }, Cancelled, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private static JsonObject Configuration() => new()
    {
        ["metadata"] = new JsonObject { ["name"] = Permissions.Release },
        ["webhooks"] = new JsonArray(new JsonObject
        {
            ["name"] = "jobs.training.opt-operator.io",
            ["clientConfig"] = new JsonObject { ["url"] = "https://localhost:1/" },
            ["admissionReviewVersions"] = new JsonArray("v1"),
            ["sideEffects"] = "None",
            ["failurePolicy"] = "Ignore",
        }),
    };

    /// <summary>Takes each verb of each rule away in turn; those whose absence no request of the operator would notice.</summary>
    private static async Task<IReadOnlyList<string>> IdleVerbsAsync(Scenario world, JsonObject role, IReadOnlyList<AccessQuestion> asked)
    {
        var idle = new List<string>();
        var (resource, @namespace, name) = (Permissions.Resource(role), (string?)role["metadata"]!["namespace"], (string)role["metadata"]!["name"]!);
        for (var i = 0; i < role["rules"]!.AsArray().Count; i++)
        {
            foreach (var of in role["rules"]![i]!["resources"]!.AsArray().Select(r => (string)r!))
            {
                foreach (var verb in role["rules"]![i]!["verbs"]!.AsArray().Select(v => (string)v!))
                {
                    await world.Api.PatchAsync(resource, @namespace, name, PatchKind.Merge, new JsonObject { ["rules"] = Without(role, i, of, verb) }, Scenario.User, Cancelled);
                    if ((await DeniedAsync(world, asked.Where(q => q.Verb == verb && of.StartsWith(q.Resource, StringComparison.Ordinal)))).Count == 0) idle.Add($"{verb} {of} ({role["kind"]} {name})");
                }
            }
        }

        await world.Api.PatchAsync(resource, @namespace, name, PatchKind.Merge, new JsonObject { ["rules"] = role["rules"]!.DeepClone() }, Scenario.User, Cancelled);
        return idle;
    }

    /// <summary>The rules with one verb on one resource less: the rule is split into one for the other resources and one for the other verbs.</summary>
    private static JsonArray Without(JsonObject role, int index, string resource, string verb)
    {
        var rules = role["rules"]!.DeepClone().AsArray();
        var (others, rest) = (rules[index]!.DeepClone(), rules[index]!.DeepClone());
        rules.RemoveAt(index);
        others["resources"] = new JsonArray([.. others["resources"]!.AsArray().Where(r => (string?)r != resource).Select(r => r!.DeepClone())]);
        rest["resources"] = new JsonArray(resource);
        rest["verbs"] = new JsonArray([.. rest["verbs"]!.AsArray().Where(v => (string?)v != verb).Select(v => v!.DeepClone())]);
        foreach (var rule in new[] { others, rest }.Where(r => r["resources"]!.AsArray().Count > 0 && r["verbs"]!.AsArray().Count > 0)) rules.Add(rule);
        return rules;
    }

    private static async Task<IReadOnlyList<AccessQuestion>> DeniedAsync(Scenario world, IEnumerable<AccessQuestion> asked)
    {
        var denied = new List<AccessQuestion>();
        foreach (var question in asked)
        {
            var review = new JsonObject
            {
                ["spec"] = new JsonObject
                {
                    ["user"] = question.User.Name,
                    ["groups"] = new JsonArray([.. question.User.Groups.Select(g => JsonValue.Create(g))]),
                    ["resourceAttributes"] = new JsonObject { ["verb"] = question.Verb, ["group"] = question.Group, ["resource"] = question.Resource, ["subresource"] = question.Subresource ?? "", ["namespace"] = question.Namespace ?? "", ["name"] = question.Name ?? "" },
                },
            };
            var answer = await world.Api.CreateAsync(new("authorization.k8s.io", "v1", "subjectaccessreviews"), null, review, Scenario.User, Cancelled);
            if (answer["status"]!["allowed"]!.GetValue<bool>() is false) denied.Add(question);
        }

        return denied;
    }
}
