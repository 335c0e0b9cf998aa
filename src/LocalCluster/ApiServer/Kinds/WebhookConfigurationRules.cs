using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema.Cel;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Configurations of admission webhooks.</summary>
public sealed class WebhookConfigurationRules(bool mutating) : KindRules
{
    public override bool HasGeneration => true;

    public override void Default(JsonObject item)
    {
        foreach (var webhook in item.Items("webhooks"))
        {
            webhook.Default("failurePolicy", "Fail");
            webhook.Default("matchPolicy", "Equivalent");
            webhook.Default("namespaceSelector", new JsonObject());
            webhook.Default("objectSelector", new JsonObject());
            webhook.Default("timeoutSeconds", 10);
            if (mutating) webhook.Default("reinvocationPolicy", "Never");
            foreach (var rule in webhook.Items("rules")) rule.Default("scope", "*");
            webhook.Obj("clientConfig", "service")?.Default("port", 443);
        }
    }

    public override void Validate(JsonObject item, List<FieldError> errors)
    {
        var index = 0;
        foreach (var webhook in item.Items("webhooks"))
        {
            var at = $"webhooks[{(index++).ToString(CultureInfo.InvariantCulture)}]";
            if ((webhook.Str("name") ?? "").Split('.').Length < 3) errors.Add(FieldError.Invalid($"{at}.name", webhook["name"] ?? "", "should be a domain with at least three segments separated by dots"));
            if (webhook.Str("sideEffects") is not ("None" or "NoneOnDryRun")) errors.Add(FieldError.NotSupported($"{at}.sideEffects", webhook["sideEffects"] ?? "", ["None", "NoneOnDryRun"]));
            if (webhook.Arr("admissionReviewVersions") is not { Count: > 0 }) errors.Add(FieldError.Required($"{at}.admissionReviewVersions", "must specify one of v1, v1beta1"));
            if (webhook["timeoutSeconds"].Long() is < 1 or > 30) errors.Add(FieldError.Invalid($"{at}.timeoutSeconds", webhook["timeoutSeconds"], "the timeout value must be between 1 and 30 seconds"));
            var config = webhook.Obj("clientConfig") ?? [];
            if (string.IsNullOrEmpty(config.Str("url")) == (config.Obj("service") is null)) errors.Add(FieldError.Required($"{at}.clientConfig", "exactly one of url or service is required"));
            Conditions(webhook, at, errors);
        }
    }

    protected override bool SpecChanged(JsonObject item, JsonObject old) => !item["webhooks"].SameAs(old["webhooks"]);

    private static void Conditions(JsonObject webhook, string path, List<FieldError> errors)
    {
        var index = 0;
        foreach (var condition in webhook.Items("matchConditions"))
        {
            var at = $"{path}.matchConditions[{(index++).ToString(CultureInfo.InvariantCulture)}]";
            try
            {
                CelProgram.Compile(condition.Str("expression") ?? "");
            }
            catch (CelSyntaxException e)
            {
                errors.Add(FieldError.Invalid($"{at}.expression", condition["expression"], $"compilation failed: {e.Message}"));
            }
        }
    }
}
