using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Tests.ApiServer.Replay;

/// <summary>Webhooks: one that defaults, one that refuses, and both down.</summary>
internal sealed class AdmissionScript(ReplayServer server) : Script(server)
{
    private const string Configurations = "/apis/admissionregistration.k8s.io/v1";
    private WebhookServer? _webhook;

    public override async Task BeforeAsync(int step)
    {
        switch (step)
        {
            case 0:
                _webhook = await WebhookServer.StartAsync(WebhookCalls);
                await Server.DoAsync("POST", "/api/v1/namespaces", """{"metadata":{"name":"t-admission","labels":{"hooked":"1"}}}""");
                await Server.DoAsync("POST", $"{Configurations}/mutatingwebhookconfigurations", Configuration("MutatingWebhookConfiguration", "mutate", """["CREATE"]"""));
                await Server.DoAsync("POST", $"{Configurations}/validatingwebhookconfigurations", Configuration("ValidatingWebhookConfiguration", "validate", """["CREATE","UPDATE","DELETE"]"""));
                break;
            case 6:
                await _webhook!.DisposeAsync();
                await Server.DoAsync("DELETE", $"{Configurations}/mutatingwebhookconfigurations/mutate");
                break;
            case 7:
                await Server.DoAsync("PATCH", $"{Configurations}/validatingwebhookconfigurations/validate", """[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]""", "application/json-patch+json");
                break;
            case 8:
                await Server.DoAsync("PATCH", $"{Configurations}/validatingwebhookconfigurations/validate", """[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Fail"}]""", "application/json-patch+json");
                break;
        }
    }

    private string Configuration(string kind, string name, string operations) => $$$$"""
        {"apiVersion":"admissionregistration.k8s.io/v1","kind":"{{{{kind}}}}","metadata":{"name":"{{{{name}}}}"},"webhooks":[{
          "name":"{{{{name}}}}.example.com","admissionReviewVersions":["v1"],"sideEffects":"None","timeoutSeconds":3,"failurePolicy":"Fail",
          "clientConfig":{"url":"https://127.0.0.1:{{{{_webhook!.Port}}}}/{{{{name}}}}","caBundle":"{{{{_webhook.CaBundle}}}}"},
          "rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":{{{{operations}}}},"resources":["configmaps"]}],
          "matchConditions":[{"name":"not-exempt","expression":"object == null || !has(object.metadata.labels) || !('exempt' in object.metadata.labels)"}],
          "namespaceSelector":{"matchLabels":{"hooked":"1"}}}]}
        """;

    public override IReadOnlyDictionary<int, (string Reason, Func<JsonNode, JsonNode> Forgive)> Exceptions { get; } = new Dictionary<int, (string, Func<JsonNode, JsonNode>)>
    {
        [6] = ("the webhook listens on another port here", body =>
        {
            static string NoPort(JsonNode? text) => System.Text.RegularExpressions.Regex.Replace((string)text!, "127\\.0\\.0\\.1:\\d+", "127.0.0.1:<port>");
            body["message"] = NoPort(body["message"]);
            body["details"]!["causes"]![0]!["message"] = NoPort(body["details"]!["causes"]![0]!["message"]);
            return body;
        }),
    };
}
