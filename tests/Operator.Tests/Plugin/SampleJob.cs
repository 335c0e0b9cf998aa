using System.Text.Json.Nodes;
using Opt.Operator.Tests.Live;
using Opt.Testing;

namespace Opt.Operator.Tests.Plugin;

/// <summary>A job in the middle of its life, with its plans, pods and nodes, in a live API server.</summary>
internal static class SampleJob
{
    public static async Task ApplyAsync(LiveCluster cluster)
    {
        await cluster.KubectlAsync("apply", "-f", Repo.PathOf("examples", "opt-tiny.yaml"));
        var uid = await cluster.KubectlAsync("get", "otj", "opt-tiny", "-o", "jsonpath={.metadata.uid}");
        await cluster.KubectlAsync("apply", "-f", cluster.Write("sample.yaml", Objects(uid)));
        await cluster.KubectlAsync("patch", "otj", "opt-tiny", "--subresource=status", "--type=merge", "-p", new JsonObject { ["status"] = JsonNode.Parse(Status) }.ToJsonString());
    }

    public const string Status = """
        {"phase": "Running", "epoch": 3, "revision": 0, "step": 120, "totalSteps": 300, "tokens": 122880, "loss": 6.4321, "learningRate": 0.003, "lossScale": 1, "gradientNorm": 0.71, "tokensPerSecond": 5120, "stepSeconds": 0.2,
         "conditions": [{"type": "StoreReady", "status": "False", "reason": "Unreachable", "message": "the store did not answer", "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}],
         "lastCheckpoint": {"step": 120, "epoch": 3, "committedAt": "2026-01-01T00:10:00Z", "bytes": 13000000, "location": "/checkpoints/3-120", "verdict": "pending"},
         "lastHealthyCheckpoint": {"step": 100, "epoch": 2, "committedAt": "2026-01-01T00:08:00Z", "bytes": 13000000, "location": "/checkpoints/2-100", "verdict": "healthy"},
         "nodes": {"desired": 2, "ready": 2, "sparesReady": 1, "quarantined": [{"name": "node-9", "reason": "EccErrors", "since": "2026-01-01T00:05:00Z"}]},
         "restarts": {"total": 2, "byCause": [{"cause": "WorkerFailed", "count": 1}, {"cause": "NodeLost", "count": 1}]},
         "goodput": [{"account": "productive", "seconds": 900}, {"account": "restore", "seconds": 60}, {"account": "detect", "seconds": 40}],
         "logbook": [
          {"time": "2026-01-01T00:00:00Z", "epoch": 1, "step": 0, "actor": "operator", "what": "launched epoch 1", "why": "first launch"},
          {"time": "2026-01-01T00:05:00Z", "epoch": 2, "step": 60, "actor": "operator", "what": "quarantined node-9", "why": "EccErrors: two in a minute"},
          {"time": "2026-01-01T00:05:01Z", "epoch": 2, "step": 60, "actor": "operator", "what": "launched epoch 2", "why": "NodeLost: node-9"},
          {"time": "2026-01-01T00:09:00Z", "epoch": 3, "step": 110, "actor": "operator", "what": "launched epoch 3", "why": "WorkerFailed: rank 1 ended with signal 9"}]}
        """;

    private static string Objects(string uid) => string.Join("---\n", [
        Plan(uid, 1, 0, "null", "Start", "first launch"),
        Plan(uid, 2, 1, """{"step": 40, "epoch": 1, "manifest": "a", "location": "/checkpoints/1-40", "bytes": 13000000, "committedAt": "2026-01-01T00:03:00Z"}""", "NodeLost", "node-9 is gone"),
        Plan(uid, 3, 2, """{"step": 100, "epoch": 2, "manifest": "b", "location": "/checkpoints/2-100", "bytes": 13000000, "committedAt": "2026-01-01T00:08:00Z"}""", "WorkerFailed", "rank 1 ended with signal 9"),
        Node("node-1", ""), Node("node-9", "training.opt-operator.io/quarantined: EccErrors"), Pod("opt-tiny-0", "node-1"), Pod("opt-tiny-1", "node-1")]);

    private static string Plan(string uid, int epoch, int parent, string resume, string reason, string message) => $$"""
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: opt-tiny-plan-{{epoch}}, labels: {training.opt-operator.io/job: opt-tiny, training.opt-operator.io/epoch: "{{epoch}}"} }
        data:
          plan.json: |
            {"jobUid": "{{uid}}", "epoch": {{epoch}}, "revision": 0, "parentEpoch": {{parent}}, "createdAt": "2026-01-01T00:0{{epoch}}:00Z", "workersPerMember": 1,
             "cause": {"id": "cause-{{epoch}}", "reason": "{{reason}}", "message": "{{message}}"}, "resume": {{resume}},
             "members": [{"pod": "opt-tiny-0", "podUid": "x", "node": "node-1"}, {"pod": "opt-tiny-1", "podUid": "y", "node": "node-2"}],
             "budgets": [{"budget": "relaunchInPlace", "at": "2026-01-01T00:05:00Z", "causeId": "c"}]
            }

        """;

    private static string Node(string name, string label) => $"apiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{{label}}}}}\n";

    private static string Pod(string name, string node) => $"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{training.opt-operator.io/job: opt-tiny}}}}\nspec: {{nodeName: {node}, containers: [{{name: trainer, image: opt-trainer:local}}]}}\n";
}
