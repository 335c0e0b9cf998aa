using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
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

    /// <summary>This node's folders, then the other members' agents; nothing for a worker without an agent.</summary>
    public static IReadOnlyList<INearbyCopies> Read(Func<string, string?> variable, RunPlan plan, int rank, TimeProvider time)
    {
        if (variable(FoldersVariable) is not { Length: > 0 } folders) return [];
        var node = new NodeCopies(folders.Split(':', StringSplitOptions.RemoveEmptyEntries));
        if (plan.Members.Count == 1 || variable(TokenFileVariable) is not { Length: > 0 } file || !File.Exists(file)) return [node];
        var port = variable(PortVariable) is { Length: > 0 } text ? int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : AgentOptions.DefaultPort;
        var self = rank / plan.WorkersPerMember;
        var partner = Partners.Of(plan.Members)[self];
        var http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(3) }) { Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", File.ReadAllText(file).Trim());
        return [node, new PeerCopies(http, [.. plan.Members.Where((_, i) => i != self).Select(Address)], Address(plan.Members[partner]), time)];

        Uri Address(PlanMember member) => new UriBuilder(Uri.UriSchemeHttp, IPAddress.Parse(member.PodIp).ToString(), port).Uri;
    }
}
