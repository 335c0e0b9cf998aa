namespace Opt.Kubernetes;

/// <summary>What a failed attempt means.</summary>
public enum Failure
{
    /// <summary>Somebody else wrote first. Normal; comes back soon, without noise.</summary>
    Conflict,

    /// <summary>Anything that may pass.</summary>
    Retry,

    /// <summary>The same input will fail again; comes back when it changes, or after a long time.</summary>
    Terminal,
}

/// <summary>The default meaning of exceptions.</summary>
public static class Failures
{
    public static Failure Classify(Exception error) => error switch
    {
        KubernetesException { IsConflict: true } or KubernetesException { IsAlreadyExists: true } => Failure.Conflict,
        KubernetesException { IsInvalid: true } => Failure.Terminal,
        _ => Failure.Retry,   // 403 too: access rules may be applied after us
    };
}
