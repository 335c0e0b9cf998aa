namespace Opt.Operator.Webhooks;

/// <summary>Lifetimes of the certificates that the operator makes for its webhooks.</summary>
internal sealed record CertificateOptions
{
    /// <summary>Of the authority whose certificate is the caBundle.</summary>
    public TimeSpan AuthorityLifetime { get; init; } = TimeSpan.FromDays(3650);

    /// <summary>Of the serving certificate. It is replaced after two thirds of it.</summary>
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromDays(90);

    /// <summary>A new authority is published for so long before the first certificate of it is served: every API server must trust it by then.</summary>
    public TimeSpan Overlap { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Clocks of API servers may run behind by so much.</summary>
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromMinutes(5);
}
