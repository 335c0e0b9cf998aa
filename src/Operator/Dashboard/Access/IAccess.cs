namespace Opt.Operator.Dashboard.Access;

/// <summary>What the bearer of a token may see.</summary>
internal enum Verdict { Allowed, Forbidden, Unauthenticated, Unavailable }

/// <summary>Who may see jobs.</summary>
internal interface IAccess
{
    /// <param name="verb">get, list or watch of opttrainingjobs.</param>
    /// <param name="namespace">Null for all namespaces.</param>
    Task<Verdict> MayAsync(string? token, string verb, string? @namespace, CancellationToken ct);
}
