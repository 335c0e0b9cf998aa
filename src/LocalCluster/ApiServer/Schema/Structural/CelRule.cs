using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema.Cel;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>One entry of <c>x-kubernetes-validations</c>.</summary>
public sealed record CelRule(string Rule, string Message, string MessageExpression, string Reason, string FieldPath, bool OptionalOldSelf)
{
    private readonly Lazy<CelProgram> _program = new(() => CelProgram.Compile(Rule));
    private readonly Lazy<CelProgram?> _message = new(() => MessageExpression.Length == 0 ? null : CelProgram.Compile(MessageExpression));

    /// <exception cref="CelSyntaxException">The rule does not parse.</exception>
    public CelProgram Program => _program.Value;

    public CelProgram? MessageProgram => _message.Value;

    /// <summary>The rule compares with the old value, so it only runs on updates (unless the old value is optional).</summary>
    public bool IsTransition => Program.Variables.Contains("oldSelf");

    public static CelRule Read(JsonObject source) => new(
        source.Str("rule") ?? "", source.Str("message") ?? "", source.Str("messageExpression") ?? "", source.Str("reason") ?? "", source.Str("fieldPath") ?? "", source["optionalOldSelf"].Bool() == true);
}
