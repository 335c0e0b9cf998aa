using System.Text.Json.Nodes;
using Opt.Testing;

namespace Opt.LocalCluster.Tests.ApiServer.Replay;

/// <summary>Requests and answers recorded from a real Kubernetes 1.36 control plane; <c>&lt;uid&gt;</c>, <c>&lt;rv&gt;</c>, <c>&lt;time&gt;</c>, <c>&lt;continue&gt;</c> stand for what differs from run to run.</summary>
internal sealed record Transcript(string Scenario, IReadOnlyList<Step> Steps)
{
    public static Transcript Load(string scenario)
    {
        var text = File.ReadAllText(Repo.PathOf("tests", "LocalCluster.Tests", "transcripts", scenario + ".json"));
        var steps = JsonNode.Parse(text)!["steps"]!.AsArray().Select((s, i) => new Step(i, (JsonObject)s!));
        return new Transcript(scenario, [.. steps]);
    }
}

/// <summary>One recorded request and its answer.</summary>
internal sealed record Step(int Index, JsonObject Source)
{
    public string Name => (string)Source["name"]!;
    public string Method => (string)Source["request"]!["method"]!;
    public string Path => (string)Source["request"]!["path"]!;
    public string Accept => (string)Source["request"]!["accept"]!;
    public string? ContentType => (string?)Source["request"]!["contentType"];
    public string? Authorization => (string?)Source["request"]!["authorization"];
    public JsonNode? Body => Source["request"]!["body"];
    public int Status => (int)Source["response"]!["status"]!;
    public string AnswerType => (string)Source["response"]!["contentType"]!;
    public JsonNode? Answer => Source["response"]!["body"];
    public JsonArray? WatchEvents => Source["response"]!["watchEvents"] as JsonArray;
    public JsonArray? WebhookCalls => Source["webhookCalls"] as JsonArray;
}
