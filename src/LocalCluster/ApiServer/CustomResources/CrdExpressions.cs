using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema;
using Opt.LocalCluster.ApiServer.Schema.Cel;
using Opt.LocalCluster.ApiServer.Schema.Cel.Typing;

namespace Opt.LocalCluster.ApiServer.CustomResources;

/// <summary>The expression rules of one schema node: they parse, they fit the types of the schema, and they give what is asked of them.</summary>
internal static class CrdExpressions
{
    public static void Validate(JsonObject schema, string path, bool isRoot, List<FieldError> errors)
    {
        if (schema.Arr("x-kubernetes-validations") is not { Count: > 0 }) return;
        var self = CelStaticType.Of(StructuralSchema.Read(schema), isRoot) ?? CelStaticType.Dyn;
        foreach (var (index, rule) in schema.Items("x-kubernetes-validations").Index())
        {
            var at = $"{path}.x-kubernetes-validations[{index.ToString(CultureInfo.InvariantCulture)}]";
            var old = rule["optionalOldSelf"].Bool() == true ? new CelStaticType.OptionalOf(self) : self;
            var checker = new Checker(rule, at, new Dictionary<string, CelStaticType> { ["self"] = self, ["oldSelf"] = old }, errors);
            if (string.IsNullOrWhiteSpace(rule.Str("rule"))) errors.Add(FieldError.Required($"{at}.rule", "rule is not specified"));
            else checker.Check("rule", CelStaticType.Bool, "cel expression must evaluate to a bool");
            if (rule.Str("messageExpression") is { Length: > 0 }) checker.Check("messageExpression", CelStaticType.String, "must evaluate to a string");
        }
    }

    private sealed class Checker(JsonObject rule, string path, IReadOnlyDictionary<string, CelStaticType> variables, List<FieldError> errors)
    {
        public void Check(string member, CelStaticType wanted, string otherwise)
        {
            var text = rule.Str(member)!;
            try
            {
                var checker = new CelChecker(text, variables);
                var type = checker.Check(CelProgram.Compile(text).Expression);
                if (checker.Errors.Count > 0) Add(member, $"compilation failed: {string.Join('\n', checker.Errors)}");
                else if (!CelStaticType.Fits(type, wanted)) Add(member, otherwise);
            }
            catch (CelSyntaxException e)
            {
                Add(member, $"compilation failed: {CelChecker.Mark(text, e.Position, e.Detail)}");
            }
        }

        private void Add(string member, string detail) => errors.Add(FieldError.Invalid($"{path}.{member}", Whole(), detail));

        // The server shows the rule as its internal type, whose fields have Go's names.
        private JsonObject Whole() => new()
        {
            ["Rule"] = rule.Str("rule") ?? "",
            ["Message"] = rule.Str("message") ?? "",
            ["MessageExpression"] = rule.Str("messageExpression") ?? "",
            ["Reason"] = rule["reason"]?.DeepClone(),
            ["FieldPath"] = rule.Str("fieldPath") ?? "",
            ["OptionalOldSelf"] = rule["optionalOldSelf"]?.DeepClone(),
        };
    }
}
