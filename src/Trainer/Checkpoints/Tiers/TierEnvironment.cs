using System.Globalization;
using System.Net;
using Opt.Api.Protocol;
using Opt.Trainer.Agent;

namespace Opt.Trainer.Checkpoints;

/// <summary>The nearer tiers as the environment of a worker says.</summary>
internal static class TierEnvironment
{
    /// <summary>Folders for copies, divided by ':', nearest first.</summary>
    public const string FoldersVariable = "OPT_COPY_FOLDERS";

    public const string PortVariable = "OPT_AGENT_PORT";
    public const string TokenFileVariable = "OPT_AGENT_TOKEN_FILE";
    public const string TlsVariable = "OPT_AGENT_TLS";

    /// <summary>This node's folders, then the other members' agents; nothing for a worker without an agent.</summary>
    public static IReadOnlyList<INearbyCopies> Read(Func<string, string?> variable, RunPlan plan, int rank, TimeProvider time)
    {
        if (variable(FoldersVariable) is not { Length: > 0 } folders) return [];
        var node = new NodeCopies(folders.Split(':', StringSplitOptions.RemoveEmptyEntries));
        if (plan.Members.Count == 1 || variable(TokenFileVariable) is not { Length: > 0 } file || !File.Exists(file)) return [node];
        var port = variable(PortVariable) is { Length: > 0 } text ? int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : AgentOptions.DefaultPort;
        var self = rank / plan.WorkersPerMember;
        var partner = Partners.Of(plan.Members)[self];
        var tls = variable(TlsVariable) is "1";
        var http = new HttpClient(new PeerCredential(file, tls)) { Timeout = Timeout.InfiniteTimeSpan };
        return [node, new PeerCopies(http, [.. plan.Members.Where((_, i) => i != self).Select(Address)], Address(plan.Members[partner]), time)];

        Uri Address(PlanMember member) => new UriBuilder(tls ? Uri.UriSchemeHttps : Uri.UriSchemeHttp, IPAddress.Parse(member.PodIp).ToString(), port).Uri;
    }
}
