using Microsoft.AspNetCore.Http;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.Cli;

namespace Opt.LocalCluster.Tests.ApiServer;

public sealed class ImpersonationTests
{
    private static readonly UserInfo Admin = new("admin", ["system:masters", "system:authenticated"]);

    [Fact]
    public void Somebody_elses_name_brings_that_ones_groups_and_not_the_callers()
    {
        var account = Apply(new() { ["Impersonate-User"] = "system:serviceaccount:ns:sa" });
        Assert.Equal(["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"], account.Groups);

        var person = Apply(new() { ["Impersonate-User"] = "jane", ["Impersonate-Group"] = new(["devs", "ops"]), ["Impersonate-Extra-Scopes"] = "view" });
        Assert.Equal(("jane", 3), (person.Name, person.Groups.Count));
        Assert.DoesNotContain("system:masters", person.Groups);
        Assert.Equal(["view"], person.Extra["scopes"]);

        Assert.Same(Admin, Apply([]));
    }

    [Fact]
    public void Who_may_not_impersonate_is_told_so_and_groups_alone_are_refused()
    {
        var refused = Assert.Throws<ApiException>(() => Impersonation.Apply(new HeaderDictionary { ["Impersonate-User"] = "jane" }, Admin, new Nobody()));
        Assert.Equal((403, "users \"jane\" is forbidden: User \"admin\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope"), (refused.Code, refused.Message));
        Assert.Equal(400, Assert.Throws<ApiException>(() => Apply(new() { ["Impersonate-Group"] = "devs" })).Code);
    }

    [Fact]
    public void A_token_file_names_users_and_groups_and_a_bad_line_is_named_without_its_token()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "t0ken,admin,1,\"system:masters,ops\"\n\nother,bob,2\n");
        var users = TokenFile.Read(file);
        Assert.Equal(["system:masters", "ops"], users["t0ken"].Groups);
        Assert.Equal(("bob", "2"), (users["other"].Name, users["other"].Uid));

        File.WriteAllText(file, "good,a,1\ns3cret\n");
        var message = Assert.Throws<UsageException>(() => TokenFile.Read(file)).Message;
        Assert.Contains("line 2", message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", message, StringComparison.Ordinal);
        File.Delete(file);
    }

    private static UserInfo Apply(HeaderDictionary headers) => Impersonation.Apply(headers, Admin, new AuthenticatedMayAll());

    private sealed class Nobody : IAuthorizer
    {
        public bool Allows(AccessQuestion question) => false;
    }
}
