using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Defaults of one volume of a pod.</summary>
internal static class VolumeDefaults
{
    private const int ReadableByAll = 420;   // 0644

    public static void Fill(JsonObject volume)
    {
        if (volume.Count == 1) volume["emptyDir"] = new JsonObject();
        foreach (var source in (ReadOnlySpan<string>)["secret", "configMap", "downwardAPI", "projected"]) volume.Obj(source)?.Default("defaultMode", ReadableByAll);
        volume.Obj("hostPath")?.Default("type", "");
        foreach (var item in volume.Items("downwardAPI", "items")) item.Obj("fieldRef")?.Default("apiVersion", "v1");
        foreach (var source in volume.Items("projected", "sources"))
        {
            source.Obj("serviceAccountToken")?.Default("expirationSeconds", 3600);
            foreach (var item in source.Items("downwardAPI", "items")) item.Obj("fieldRef")?.Default("apiVersion", "v1");
        }

        volume.Obj("ephemeral", "volumeClaimTemplate", "spec")?.Default("volumeMode", "Filesystem");
    }
}
