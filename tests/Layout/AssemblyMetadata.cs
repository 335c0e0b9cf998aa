using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace Opt.Layout;

/// <summary>What a compiled assembly refers to, read from its metadata tables without loading it.</summary>
/// <param name="GenericCalls">The generic methods of <paramref name="Members"/>.</param>
public sealed record AssemblyMetadata(IReadOnlyList<string> Assemblies, IReadOnlyList<string> Types, IReadOnlyList<string> Members, IReadOnlyList<string> GenericCalls)
{
    /// <summary>Reads an assembly that lies beside the tests.</summary>
    public static AssemblyMetadata Of(string assembly)
    {
        using var file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, assembly + ".dll"));
        using var pe = new PEReader(file);
        var reader = pe.GetMetadataReader();
        return new(
            [.. reader.AssemblyReferences.Select(h => reader.GetString(reader.GetAssemblyReference(h).Name))],
            [.. reader.TypeReferences.Select(h => TypeName(reader, h))],
            [.. reader.MemberReferences.Select(h => MemberName(reader, reader.GetMemberReference(h))).OfType<string>()],
            [.. MethodSpecifications(reader).Where(m => m.Kind == HandleKind.MemberReference).Select(m => MemberName(reader, reader.GetMemberReference((MemberReferenceHandle)m))).OfType<string>().Distinct()]);
    }

    private static IEnumerable<EntityHandle> MethodSpecifications(MetadataReader reader) =>
        Enumerable.Range(1, reader.GetTableRowCount(TableIndex.MethodSpec)).Select(row => reader.GetMethodSpecification(MetadataTokens.MethodSpecificationHandle(row)).Method);

    private static string TypeName(MetadataReader reader, TypeReferenceHandle handle)
    {
        var type = reader.GetTypeReference(handle);
        var name = reader.GetString(type.Name);
        if (type.ResolutionScope.Kind == HandleKind.TypeReference) return $"{TypeName(reader, (TypeReferenceHandle)type.ResolutionScope)}.{name}";
        var space = reader.GetString(type.Namespace);
        return space.Length == 0 ? name : $"{space}.{name}";
    }

    /// <summary>"Namespace.Type.Member" for members of plain types; generic instantiations are covered by their type reference.</summary>
    private static string? MemberName(MetadataReader reader, MemberReference member) => member.Parent.Kind == HandleKind.TypeReference
        ? $"{TypeName(reader, (TypeReferenceHandle)member.Parent)}.{reader.GetString(member.Name)}"
        : null;
}
