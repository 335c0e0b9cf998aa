using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Divergence;
using Opt.Testing;
using Xunit;

namespace Opt.Planning.Tests.Divergence;

/// <summary>The policies of <c>examples/opt-175b.yaml</c>; those that wait for the end of a long warm-up are looked at from step 200 on.</summary>
internal static class SamplePolicies
{
    public static readonly EquatableList<DivergencePolicySpec> All =
        [.. Yaml.Parse(File.ReadAllText(Repo.PathOf("examples", "opt-175b.yaml")))[0].AsObject()["spec"].Deserialize(SpecJson.Default.OptTrainingJobSpec)!.DivergencePolicies.Select(p => p with { When = p.When with { AfterStep = Math.Min(p.When.AfterStep, 200) } })];

    public static bool Soaks => Environment.GetEnvironmentVariable("OPT_SOAK") == "1";

    /// <summary>What they decide over a whole curve, none of them ever silenced by an earlier firing.</summary>
    public static IEnumerable<DivergenceDecision> Firings(IReadOnlyList<StepRecord> curve) => Enumerable.Range(0, curve.Count).SelectMany(at => DivergencePolicies.Evaluate(All, curve, at, []));

    /// <summary>A line of the table in docs/measurements.md.</summary>
    public static void Say(string line) => TestContext.Current.SendDiagnosticMessage(line);
}
