namespace Opt.Operator.Agents;

/// <summary>Where one agent is asked. The address comes from the pod, never from DNS.</summary>
public sealed record AgentTarget(string Pod, string PodUid, string Ip, int Port, string Token)
{
    /// <summary>The token before this one: an agent whose kubelet has not brought it the new one yet still takes it.</summary>
    public string? FormerToken { get; init; }

    /// <summary>SHA-256 of the certificate that the agent must show, in lower-case hexadecimal; null to speak without TLS.</summary>
    public string? Pin { get; init; }

    /// <summary>The certificate before this one.</summary>
    public string? FormerPin { get; init; }

    public Uri Url(string path) => new($"{(Pin is null ? "http" : "https")}://{(Ip.Contains(':', StringComparison.Ordinal) ? $"[{Ip}]" : Ip)}:{Port}{path}");

    // A record prints its members; this one holds tokens.
    public override string ToString() => $"{Pod} ({Ip}:{Port})";
}
