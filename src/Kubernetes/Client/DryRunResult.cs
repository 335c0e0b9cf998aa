namespace Opt.Kubernetes;

/// <summary>What a write would have done: the object as it would be stored, or the refusal.</summary>
/// <param name="Warnings">Texts the server attached, such as a deprecated field.</param>
public sealed record DryRunResult<T>(T? Object, IReadOnlyList<string> Warnings, V1Status? Refusal) where T : class
{
    /// <summary>One line a fault, with the field's path where the server names it.</summary>
    public IReadOnlyList<string> Faults => Refusal switch
    {
        null => [],
        { Details.Causes: { Count: > 0 } causes } => [.. causes.Select(c => c.Field is null ? c.Message ?? "" : $"{c.Field}: {c.Message}")],
        _ => [Refusal.Message ?? "refused without a message"],
    };
}
