using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>How long a decision takes to reach every agent of a large job, on the operator's side: what workers then need is hardware's.</summary>
public sealed class FanOutScenarios
{
    /// <summary>An input: what an agent of a busy node may take to answer one request.</summary>
    private static readonly TimeSpan Latency = TimeSpan.FromMilliseconds(50);

    [Fact]
    public Task A_rollback_reaches_64_agents_within_five_seconds_of_its_decision() => FanOutAsync(64);

    public static bool Soaks => Environment.GetEnvironmentVariable("OPT_SOAK") == "1";

    [Fact(SkipUnless = nameof(Soaks), Skip = "minutes long: set OPT_SOAK=1")]
    public Task A_rollback_reaches_2048_agents_within_five_seconds_of_its_decision() => FanOutAsync(2048);

    private static Task FanOutAsync(int agents) => Scenario.RunAsync(agents, async world =>
    {
        world.Agents.Shape = r => r.Epoch == 1 && r.Step >= 12 ? r with { Loss = null } : r;
        world.Agents.Latency = Latency;
        await world.CreateJobAsync(Manifest(agents));
        var again = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 240);

        var plans = (await world.ListAsync(new("", "v1", "configmaps"))).Where(m => m["data"]?["plan.json"] is not null).Select(m => JsonSerializer.Deserialize((string)m["data"]!["plan.json"]!, ProtocolJson.Default.RunPlan)!).ToArray();
        var decision = Assert.Single(plans, p => p.Rollback is not null);
        Assert.Equal((Reasons.Divergence, 5L), (decision.Cause.Reason, plans.Single(p => p is { Epoch: 2, Revision: 0 }).Resume!.Step));
        var (last, count) = world.Agents.Received[2];
        Assert.Equal((agents, agents), (count, again.Nodes.Ready));
        var seconds = (last - decision.CreatedAt).TotalSeconds;
        TestContext.Current.SendDiagnosticMessage($"{agents} agents: {seconds:0.0} s of virtual time from the decision to the last agent's plan");
        Assert.InRange(seconds, 0, 5);
    });

    private static string Manifest(int agents) => $$$"""
        apiVersion: training.opt-operator.io/v1alpha1
        kind: OptTrainingJob
        metadata: {name: opt, namespace: ml}
        spec:
          model: {layers: 2, hiddenSize: 64, heads: 4, maxPositions: 64}
          topology: {nodes: {{{agents}}}, acceleratorsPerNode: 1}
          pod: {image: "opt-trainer:1", acceleratorResource: ""}
          data: {train: [{path: corpus}]}
          training: {batchTokens: {{{64 * agents}}}, totalTokens: {{{64 * 60 * agents}}}, precision: fp32, learningRate: {peak: 1.0e-3} }
          checkpoint: {store: {directory: {path: /checkpoints} } }
          divergencePolicies:
          - name: explosion
            when: {loss: {notFinite: true, forSteps: 3} }
            then: [{rollback: {to: lastHealthy} }, {learningRate: {multiply: 0.9} }]
            cooldown: {steps: 50}
        """;
}
