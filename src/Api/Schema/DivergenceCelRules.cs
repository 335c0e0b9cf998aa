using System.Text.Json.Nodes;

namespace Opt.Api.Schema;

/// <summary>Rules of one divergence policy: of several alternatives exactly one is given.</summary>
internal static class DivergenceCelRules
{
    internal static readonly EquatableList<string> Signals = ["loss", "validationLoss", "lossScale", "gradientNorm", "activationNorm", "skippedRate"];
    internal static readonly EquatableList<string> Bounds = ["above", "below", "spike", "drift", "notFinite", "falls", "rises", "plateau"];
    internal static readonly EquatableList<string> Actions = ["rollback", "learningRate", "gradientClip", "lossScale", "optimizer", "change", "skipData", "reshuffleData", "pause", "notify"];
    internal static readonly EquatableList<string> Targets = ["to", "checkpoints", "step"];

    public static void Attach(JsonObject policy)
    {
        var when = Child(policy, "when");
        CelRules.Add(when, OneOf([.. Signals, "all", "any"]), $"give exactly one of {string.Join(", ", Signals)}, all and any");
        Bound(when);
        foreach (var nested in (ReadOnlySpan<string>)["all", "any"])
        {
            var item = Child(when, nested)["items"]!.AsObject();
            CelRules.Add(item, OneOf(Signals), $"give exactly one of {string.Join(", ", Signals)}");
            Bound(item);
        }

        Action(Child(policy, "then")["items"]!.AsObject());
        Action(Child(Child(policy, "escalation")["items"]!.AsObject(), "then")["items"]!.AsObject());
    }

    private static void Bound(JsonObject trigger)
    {
        foreach (var signal in Signals) CelRules.Add(Child(trigger, signal), OneOf(Bounds), $"give exactly one of {string.Join(", ", Bounds)}");
    }

    private static void Action(JsonObject action)
    {
        CelRules.Add(action, OneOf(Actions), $"give exactly one of {string.Join(", ", Actions)}");
        CelRules.Add(Child(action, "rollback"), OneOf(Targets), $"give exactly one of {string.Join(", ", Targets)}");
        foreach (var change in (ReadOnlySpan<string>)["learningRate", "gradientClip", "change"]) CelRules.Add(Child(action, change), OneOf(["set", "multiply"]), "give exactly one of set and multiply");
    }

    private static string OneOf(IEnumerable<string> names) => $"{string.Join(" + ", names.Select(n => $"(has(self.{n}) ? 1 : 0)"))} == 1";

    private static JsonObject Child(JsonObject schema, string name) => schema["properties"]![name]!.AsObject();
}
