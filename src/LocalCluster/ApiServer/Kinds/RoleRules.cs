using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Roles and cluster roles: a rule names verbs, and what they are for.</summary>
public sealed class RoleRules : KindRules
{
    public override NameRule NameRule => NameRule.Path;

    public override void Validate(JsonObject item, List<FieldError> errors)
    {
        foreach (var (index, rule) in item.Items("rules").Index())
        {
            var at = $"rules[{index.ToString(CultureInfo.InvariantCulture)}]";
            if (rule.Strings("verbs").Count == 0) errors.Add(FieldError.Required($"{at}.verbs", "verbs must contain at least one value"));
            if (rule.Strings("nonResourceURLs").Count > 0) NonResource(rule, at, item.Str("kind") == "Role", errors);
            else Resource(rule, at, errors);
        }
    }

    private static void NonResource(JsonObject rule, string path, bool namespaced, List<FieldError> errors)
    {
        if (namespaced) errors.Add(FieldError.Invalid($"{path}.nonResourceURLs", rule["nonResourceURLs"], "namespaced rules cannot apply to non-resource URLs"));
        if (rule.Strings("apiGroups").Count > 0 || rule.Strings("resources").Count > 0 || rule.Strings("resourceNames").Count > 0)
        {
            errors.Add(FieldError.Invalid($"{path}.nonResourceURLs", rule["nonResourceURLs"], "rules cannot apply to both regular resources and non-resource URLs"));
        }
    }

    private static void Resource(JsonObject rule, string path, List<FieldError> errors)
    {
        if (rule.Strings("apiGroups").Count == 0) errors.Add(FieldError.Required($"{path}.apiGroups", "resource rules must supply at least one api group"));
        if (rule.Strings("resources").Count == 0) errors.Add(FieldError.Required($"{path}.resources", "resource rules must supply at least one resource"));
    }
}

/// <summary>Bindings of roles: the role that is bound never changes.</summary>
public sealed class RoleBindingRules : KindRules
{
    public override NameRule NameRule => NameRule.Path;

    public override void Default(JsonObject item) => RbacDefaults.Fill(item);

    public override void Validate(JsonObject item, List<FieldError> errors)
    {
        if (item.Str("roleRef", "kind") is not ("Role" or "ClusterRole")) errors.Add(FieldError.NotSupported("roleRef.kind", item.At("roleRef", "kind") ?? "", item.Str("kind") == "ClusterRoleBinding" ? ["ClusterRole"] : ["ClusterRole", "Role"]));
        if (string.IsNullOrEmpty(item.Str("roleRef", "name"))) errors.Add(FieldError.Required("roleRef.name"));
    }

    public override void ValidateUpdate(JsonObject item, JsonObject old, List<FieldError> errors)
    {
        Validate(item, errors);
        if (!item["roleRef"].SameAs(old["roleRef"])) errors.Add(FieldError.Invalid("roleRef", item["roleRef"], "cannot change roleRef"));
    }
}
