using System.Reflection;

namespace Opt.Operator.Hosting;

/// <summary>The definitions in crds/, as they were when this program was built; a test holds them equal to what the API types say.</summary>
internal static class CrdCommand
{
    public static string Text()
    {
        var assembly = Assembly.GetExecutingAssembly();
        var names = assembly.GetManifestResourceNames().Where(n => n.EndsWith(".yaml", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        return string.Join("---\n", names.Select(name =>
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            return reader.ReadToEnd();
        }));
    }
}
