namespace Opt.Api.Validation;

/// <summary>One thing wrong with a spec.</summary>
/// <param name="Path">The field, from the top: <c>spec.topology.nodes</c>.</param>
/// <param name="Value">What it holds, as JSON, shortened; "(absent)" when it is missing.</param>
/// <param name="Allowed">What is allowed instead.</param>
public sealed record SpecFault(string Path, string Value, string Allowed)
{
    public const string Absent = "(absent)";

    public override string ToString() => $"{Path}: {Value} is not allowed; {Allowed}";
}
